"""A peer as a process, watched from outside: CPU of its tree, its output topic, its group's offsets."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from benchmarks.measure import listener, usage
from benchmarks.peers.figures import Sample, finished
from benchmarks.resolvers import committed
from streams.runtime.supervise import Child, Supervisor

EVERY = 0.1  # seconds between two samples
FIRST_OUTPUT = 120.0  # seconds a peer may take until its first output
DEADLINE = 900.0  # seconds a peer may take for everything
LAST_LINES = 15


class PeerFailed(Exception):
    """A peer ended, wrote nothing or did not come to the end; says so with the last lines of its log."""

    def __init__(self, what: str, log: Path) -> None:
        self.what = what
        tail = "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        super().__init__(f"{what}; SLUICE_BENCH_LOGS=1 shows its whole log, whose last lines are:\n{tail}")


class Progress:
    """How far one group has come: records in its output topic, offsets of its source."""

    def __init__(self, bootstrap: str, group: str, source: str, output: str, partitions: int) -> None:
        # Read uncommitted: an engine with long transactions would otherwise seem to stand still in between.
        settings = {"bootstrap.servers": bootstrap, "group.id": group, "isolation.level": "read_uncommitted"}
        self._client = Consumer(settings)
        self._source = [TopicPartition(source, number) for number in range(partitions)]
        self._output = [TopicPartition(output, number) for number in range(partitions)]

    def written(self) -> int:
        """Offsets used in the output topic, markers of transactions included."""
        return sum(self._client.get_watermark_offsets(partition, 10)[1] for partition in self._output)

    def committed(self) -> int:
        """Source records the group has committed; 0 for one that commits nothing. Raises KafkaException."""
        return committed(self._client, self._source)

    def close(self) -> None:
        """Leave; the group is never joined."""
        self._client.close()


@contextmanager
def running(name: str, argv: Sequence[str], environment: Mapping[str, str], place: Path) -> Iterator[Child]:
    """The peer's process, stopped at the end; its log goes to standard error when SLUICE_BENCH_LOGS is set."""
    tree = Supervisor(place / "logs")
    child = tree.start(name, argv, environment)
    try:
        yield child
    finally:
        tree.stop()
        if os.environ.get("SLUICE_BENCH_LOGS"):
            sys.stderr.write(child.log.read_text(errors="replace"))


def watch(child: Child, progress: Progress, broker_port: int, records: int) -> list[Sample]:
    """Samples until the peer has finished. Raises PeerFailed, KafkaException."""
    assert child.process is not None
    broker, began = listener(broker_port), time.monotonic()
    samples: list[Sample] = []
    while not samples or not finished(samples, records):
        time.sleep(EVERY)
        if not child.alive:
            raise PeerFailed(f"ended with code {child.process.returncode}", child.log)
        used, at = usage(child.process.pid), time.monotonic() - began
        samples.append(
            Sample(
                at, used.cpu, usage(broker).cpu if broker else None, used.rss_mib,
                progress.written(), progress.committed(),
            )
        )  # fmt: skip
        if not samples[-1].written and at > FIRST_OUTPUT:
            raise PeerFailed(f"no output after {FIRST_OUTPUT:.0f} s", child.log)
        if at > DEADLINE:
            raise PeerFailed(f"not at the end after {DEADLINE:.0f} s: {samples[-1].written} outputs", child.log)
    return samples
