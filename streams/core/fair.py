"""Fair turns in units of cost, on several levels: tenants or accounts, their flows, and what may be held apart. Pure.

Deficit round robin (Shreedhar and Varghese, 1995) with its quantum taken to nothing, which is start-time fair queueing
(Goyal, Vin and Cheng, 1996): whoever was served least is next. The order is as fine as single requests, where a quantum
as large as the dearest request lets one share send hundreds of cheap ones in a row. Two shares that both always wait
differ by no more than one request of each. O(log n) per level.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
_KEPT = 64  # idle children whose account is kept whatever their number


@dataclass(slots=True, eq=False)
class Node(Generic[T]):
    """A share, or a share's queue where `queue` is used. `served`: cost served, as far as it is still held against it;
    `clock`: what the child served last had been served before."""

    name: str
    parent: Node[T] | None = None
    gates: tuple[str, ...] = ()
    served: float = 0.0
    clock: float = 0.0
    active: bool = False
    queue: deque[T] = field(default_factory=deque)
    children: dict[str, Node[T]] = field(default_factory=dict)
    ready: list[tuple[float, int, Node[T]]] = field(default_factory=list)


class Fair(Generic[T]):
    """The work of one lane. `alive`: whether an entry still counts; `open`: whether a queue may be served now."""

    def __init__(self, alive: Callable[[T], bool], open: Callable[[Node[T]], bool]) -> None:
        self._root: Node[T] = Node("")
        self._alive = alive
        self._open = open
        self._sequence = 0

    def push(self, path: tuple[str, ...], gates: tuple[str, ...], entry: T) -> None:
        """Add work at the end of its queue. `path`: names from the outermost share to the queue."""
        node = self._root
        for name in path:
            found = node.children.get(name)
            if found is None:
                self._tidy(node)
                found = node.children[name] = Node(name, node, served=node.clock)
            node = found
        node.gates = gates
        node.queue.append(entry)
        self.wake(node)

    def wake(self, node: Node[T]) -> None:
        """A queue has work, or may be served again. What it was not served meanwhile it does not catch up on."""
        while node.parent is not None and not node.active:
            node.served = max(node.served, node.parent.clock)
            node.active = True
            self._enter(node.parent, node)
            node = node.parent

    def head(self) -> tuple[Node[T], T] | None:
        """What is next, and its queue."""
        return self._head(self._root)

    def pop(self, node: Node[T], cost: float) -> None:
        """The head of this queue, which was the next of all, is served."""
        node.queue.popleft()
        while node.parent is not None:
            parent = node.parent
            parent.clock = node.served
            node.served += cost
            self._sequence += 1
            heapq.heapreplace(parent.ready, (node.served, self._sequence, node))
            node = parent

    def queued(self, path: tuple[str, ...]) -> Iterator[T]:
        """What waits in a queue, in order; empty when there is none. To be read before anything is changed."""
        node: Node[T] | None = self._root
        for name in path:
            node = None if node is None else node.children.get(name)
        return iter(()) if node is None else filter(self._alive, node.queue)

    @property
    def waits(self) -> bool:
        """Whether anything may be next; true also for what turns out to be gone or held."""
        return bool(self._root.ready)

    def _head(self, node: Node[T]) -> tuple[Node[T], T] | None:
        if node.gates:
            return self._front(node)
        while node.ready:
            child = node.ready[0][2]
            found = self._head(child)
            if found is not None:
                return found
            heapq.heappop(node.ready)
            child.active = False
        return None

    def _front(self, node: Node[T]) -> tuple[Node[T], T] | None:
        while node.queue and not self._alive(node.queue[0]):
            node.queue.popleft()
        return (node, node.queue[0]) if node.queue and self._open(node) else None

    def _enter(self, parent: Node[T], node: Node[T]) -> None:
        self._sequence += 1
        heapq.heappush(parent.ready, (node.served, self._sequence, node))

    def _tidy(self, node: Node[T]) -> None:
        """Forget idle children that were served no more than those that wait."""
        if len(node.children) > 2 * len(node.ready) + _KEPT:
            node.children = {name: one for name, one in node.children.items() if not self._idle(one, node.clock)}

    def _idle(self, node: Node[T], clock: float) -> bool:
        return not node.active and not node.queue and not node.ready and not node.children and node.served <= clock
