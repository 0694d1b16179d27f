"""Which row of an entity may be worked on: one at a time, and its commands in the order of their versions. Pure."""

from __future__ import annotations

Entity = tuple[str, str]  # account and golden key


class EntityTurns:
    """Open rows by entity. In memory: whoever opens a shard tells it of every row again."""

    def __init__(self) -> None:
        self._holders: dict[Entity, str] = {}
        self._commands: dict[Entity, dict[str, int]] = {}

    def hold(self, entity: Entity, row: str) -> None:
        """The row is in flight, in doubt, or waits for a person's word on its doubt."""
        self._holders[entity] = row

    def release(self, entity: Entity) -> None:
        """Whatever held the entity does so no more."""
        self._holders.pop(entity, None)

    def is_free(self, entity: Entity) -> bool:
        """Whether nothing holds the entity."""
        return entity not in self._holders

    def add(self, entity: Entity, row: str, version: int) -> None:
        """A command is to be carried out. Idempotent."""
        self._commands.setdefault(entity, {})[row] = version

    def drop(self, entity: Entity, row: str) -> None:
        """A command is done or given up. Idempotent."""
        commands = self._commands.get(entity, {})
        commands.pop(row, None)
        if not commands:
            self._commands.pop(entity, None)

    def before(self, entity: Entity, row: str, *, command: bool) -> str:
        """The row that has to be settled before this one may be sent; empty when there is none."""
        first = self._holders.get(entity, "")
        if not first and command:
            open_ = self._commands.get(entity, {})
            first = min(open_, key=lambda one: (open_[one], one), default="")
        return "" if first == row else first

    def forget(self, account: str) -> None:
        """Nothing is known of the account any more."""
        self._holders = {entity: row for entity, row in self._holders.items() if entity[0] != account}
        self._commands = {entity: open_ for entity, open_ in self._commands.items() if entity[0] != account}
