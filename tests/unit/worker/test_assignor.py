"""The group protocol: who is announced under which name, and who gets which numbers of which topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from streams.worker.assignor import PROTOCOL, shard_assignor


class Cluster:
    """Partition counts by topic."""

    def __init__(self, **counts: int) -> None:
        self._counts = counts

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._counts[topic])) if topic in self._counts else None


def _members(topics: list[str], **instances: str) -> Mapping[str, Any]:
    return {member: shard_assignor(name).metadata(topics) for member, name in instances.items()}


def _owned(found: Mapping[str, Any]) -> dict[str, dict[str, list[int]]]:
    return {member: dict(assignment.assignment) for member, assignment in found.items()}


def test_a_number_has_one_owner_for_all_topics() -> None:
    members = _members(["a", "b"], x="pod-0", y="pod-1")
    found = _owned(shard_assignor("pod-0").assign(Cluster(a=6, b=6), members))
    assert all(owned["a"] == owned["b"] for owned in found.values())
    assert sorted(n for owned in found.values() for n in owned["a"]) == list(range(6))


def test_a_topic_with_fewer_partitions_gives_only_what_it_has() -> None:
    found = _owned(shard_assignor("pod-0").assign(Cluster(a=4, b=2), _members(["a", "b"], x="pod-0", y="pod-1")))
    assert sorted(n for owned in found.values() for n in owned["b"]) == [0, 1]
    for owned in found.values():
        assert owned["b"] == [n for n in owned["a"] if n < 2]


def test_the_instance_id_decides_and_not_the_id_the_broker_gave() -> None:
    first = _owned(shard_assignor("pod-0").assign(Cluster(a=12), _members(["a"], x="pod-0", y="pod-1")))
    again = _owned(shard_assignor("pod-0").assign(Cluster(a=12), _members(["a"], z="pod-0", w="pod-1")))
    assert (first["x"], first["y"]) == (again["z"], again["w"])


def test_members_without_an_instance_id_go_by_their_member_id() -> None:
    found = _owned(shard_assignor("").assign(Cluster(a=4), _members(["a"], x="", y="")))
    assert sorted(len(owned["a"]) for owned in found.values()) == [2, 2]


def test_a_topic_that_does_not_exist_yet_gives_nothing() -> None:
    assert _owned(shard_assignor("p").assign(Cluster(), _members(["a"], x="p"))) == {"x": {"a": []}}


def test_what_is_announced_and_assigned_can_be_sent() -> None:
    assignor = shard_assignor("pod-0")
    metadata = assignor.metadata({"b", "a"})
    assert (assignor.name, metadata.subscription, metadata.user_data) == (PROTOCOL, ["a", "b"], b"pod-0")
    assert metadata.encode()
    assignment = assignor.assign(Cluster(a=2), _members(["a"], x="pod-0"))["x"]
    assert ConsumerProtocolMemberAssignment.decode(assignment.encode()).partitions()
    assert assignor.on_assignment(assignment) is None
