"""From a vendor's records to canonical observations: which reader takes which topic. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.kit.contract import Account, Envelope, Ignored, Mapped
from connectors.rest.payload import Node
from schemas.entities import Op


@dataclass(frozen=True, slots=True)
class Read:
    """One record of one envelope, as a vendor's reader gets it."""

    account: Account
    envelope: Envelope
    node: Node


Reader = Callable[[Read], list[Mapped] | Ignored]


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic's body holds: the record itself, or, of a webhook, the record under the key `inside`."""

    read: Reader
    inside: str = ""


class RestMapping:
    """Implements contract.CanonicalMapping for a vendor's topics. `gone`: why the absence of a record says nothing."""

    def __init__(self, revision: int, topics: Mapping[str, Topic], gone: str) -> None:
        self.revision = revision
        self._topics = dict(topics)
        self._gone = gone

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        """Raises Invalid, naming the field at fault, and Misconfigured for a wrong setting."""
        topic = self._topics.get(envelope.topic)
        if topic is None:
            return Ignored(f"topic {envelope.topic!r} has no canonical entity")
        if envelope.op is Op.DELETE:
            return Ignored(self._gone)
        node = Node.parse(envelope.topic, envelope.body)
        return topic.read(Read(account, envelope, node.child(topic.inside) if topic.inside else node))
