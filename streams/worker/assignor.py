"""aiokafka's face of streams.core.assign: the group protocol `sluice-shards`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from streams.core.assign import assign

PROTOCOL = "sluice-shards"


def shard_assignor(instance_id: str) -> type[AbstractPartitionAssignor]:
    """An assignor class that announces this member under its static instance id (aiokafka wants classes)."""

    class ShardAssignor(AbstractPartitionAssignor):
        name = PROTOCOL

        @classmethod
        def metadata(cls, topics: Iterable[str]) -> Any:
            return ConsumerProtocolMemberMetadata(0, sorted(topics), instance_id.encode())

        @classmethod
        def assign(cls, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
            return _assign(cluster, members)

        @classmethod
        def on_assignment(cls, assignment: Any) -> None:
            return

    return ShardAssignor


def _assign(cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
    """Shards over members by instance id (member id where there is none), the same numbers for every topic."""
    topics = sorted({topic for member in members.values() for topic in member.subscription})
    counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
    named = {_name(member_id, metadata): member_id for member_id, metadata in members.items()}
    shards = assign(range(max(counts.values(), default=0)), named)
    return {
        named[name]: ConsumerProtocolMemberAssignment(
            0, [(topic, [n for n in numbers if n < counts[topic]]) for topic in topics], b""
        )
        for name, numbers in shards.items()
    }


def _name(member_id: str, metadata: Any) -> str:
    return metadata.user_data.decode() if metadata.user_data else member_id
