"""One run of the peers: the same input, one after the other, each judged by W2a's oracle."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from benchmarks import w2a
from benchmarks.peers import report
from benchmarks.peers.catalogue import NAMES, PEERS, SLUICE, Peer
from benchmarks.peers.figures import Figures, Sample, summarise
from benchmarks.peers.install import ROOT, NotInstalled
from benchmarks.peers.lines import plain
from benchmarks.peers.table import PASS, Row, as_json, table, verdict
from benchmarks.peers.watch import PeerFailed, Progress, running, watch
from benchmarks.resolvers import CONFIG
from benchmarks.workload import Workload, produce
from schemas import topics
from schemas.admin import apply, open_admin
from schemas.entities import EntityType
from schemas.plan import diff
from schemas.topics import CATALOGUE, INBOUND, PROFILES

PROFILE = PROFILES["development"]
STATE = topics.state(EntityType.INVENTORY_LEVEL)


def run(bootstrap: str, registry: str, events: int, keys: int, seed: int, only: Sequence[str]) -> dict[str, Any]:
    """Run the chosen peers (none chosen: all) and print the table; a run of all also rewrites its part of RESULTS.md.

    `oracle` of the result is `fail` when Sluice's own answer is not right; that of another peer is only listed.
    """
    bench = Bench(bootstrap, registry, keys, seed)
    try:
        rows = [bench.row(name, events) for name in NAMES if not only or name in only]
    finally:
        bench.clean()
    print(table(rows))
    if not only:
        report.write(ROOT / "benchmarks" / "RESULTS.md", rows, f"--events {events} --keys {keys} --seed {seed}")
    failed = any(row.name == SLUICE and row.oracle != PASS for row in rows)
    result = {"workload": "peers", "events": events, "keys": keys, "seed": seed, "peers": as_json(rows)}
    return {**result, "oracle": "fail" if failed else PASS, **report.ratios(rows)}


class Bench:
    """What the peers of one run share: the broker, the input, a prefix of their own for every topic."""

    def __init__(self, bootstrap: str, registry: str, keys: int, seed: int) -> None:
        self._bootstrap, self._registry, self._keys, self._seed = bootstrap, registry, keys, seed
        self._kafka = {"bootstrap.servers": bootstrap}
        self._admin: AdminClient = open_admin(bootstrap)
        self._prefix = f"peers-{int(time.time())}."
        self._inputs: dict[int, Workload] = {}

    def row(self, name: str, events: int) -> Row:
        """Run one peer and judge it; what goes wrong with it stands in the row."""
        _say(f"{name}: starting")
        row = self._sluice(events) if name == SLUICE else self._peer(PEERS[name], events)
        cpu = f", {row.figures.cpu} CPU-s per million" if row.figures else ""
        _say(f"{name}: {row.oracle}{cpu}")
        return row

    def clean(self, within: str = "") -> None:
        """Delete this run's topics, or those of the peer `within`: a broker that is given keeps none."""
        names = [name for name in self._admin.list_topics(timeout=30).topics if self._prefix + within in name]
        for deleted in self._admin.delete_topics(names, operation_timeout=30).values() if names else ():
            deleted.result()

    def _sluice(self, events: int) -> Row:
        lines = f"{plain(CONFIG)} (YAML)"
        row = Row(SLUICE, "Sluice's resolver", "RocksDB + changelog, transactions", events, "", lines)
        try:
            result = w2a.run(self._bootstrap, self._registry, events, self._keys, self._seed, "none")
        except (RuntimeError, TimeoutError) as error:
            return row.ended(f"FAIL: {error}")
        figures = None
        if result["oracle"] == PASS:
            figures = Figures(
                result["wall_rate"], result["cpu_s_per_million"], result["cpu_s_per_million_with_start"],
                result["second_half_cpu_s_per_million"], result["broker_cpu_s_per_million"], result["rss_mib"],
            )  # fmt: skip
        used = {name: version(name) for name in ("confluent-kafka", "faust-streaming", "aiokafka", "rocksdict")}
        return row.ended(verdict(result), result["events"], figures, used)

    def _peer(self, peer: Peer, events: int) -> Row:
        events = min(events, peer.at_most or events)
        row = Row(peer.name, peer.title, peer.state, events, "", str(peer.lines()))
        try:
            command, used = peer.command(), peer.versions()
        except NotInstalled as reason:
            return row.ended(f"not run: {reason}")
        workload = self._input(events)
        try:
            samples, checked = self._judged(peer, command, events, workload)
        except PeerFailed as failure:
            _say(str(failure))
            return row.ended(f"FAIL: {failure.what}", workload.records, versions=used)
        except KafkaException as error:
            return row.ended(f"FAIL: the broker refused: {error}", workload.records, versions=used)
        figures = summarise(samples, workload.records) if checked["oracle"] == PASS else None
        return row.ended(verdict(checked), workload.records, figures, used)

    def _judged(
        self, peer: Peer, command: Sequence[str], events: int, workload: Workload
    ) -> tuple[list[Sample], dict[str, Any]]:
        group = f"{self._prefix}{peer.name}"
        source, output = f"{self._feed(events)}{INBOUND}", f"{group}.{STATE}"
        self._create(f"{group}.", STATE)
        port = int(self._bootstrap.rsplit(":", 1)[-1])
        progress = Progress(self._bootstrap, group, source, output, PROFILE.shard)
        try:
            with tempfile.TemporaryDirectory(prefix="sluice-peer-") as place:
                folder = Path(place, "data")
                folder.mkdir()
                environment = {
                    "PEER_BOOTSTRAP": self._bootstrap, "PEER_SOURCE": source, "PEER_OUTPUT": output,
                    "PEER_GROUP": group, "PEER_FOLDER": str(folder), "PEER_PARTITIONS": str(PROFILE.shard),
                    "PYTHONPATH": str(ROOT), **peer.environment,
                }  # fmt: skip
                with running(peer.name, command, environment, Path(place)) as child:
                    samples = watch(child, progress, port, workload.records)
            return samples, w2a.oracle(self._kafka, f"{group}.", workload, "none")
        finally:
            progress.close()
            self.clean(within=peer.name)

    def _feed(self, events: int) -> str:
        return f"{self._prefix}feed-{events}."

    def _input(self, events: int) -> Workload:
        """The input of `events` changes, written at the first call: all peers of one size read the same topic."""
        if events not in self._inputs:
            self._create(self._feed(events), INBOUND)
            self._inputs[events] = produce(self._kafka, self._feed(events), PROFILE, events, self._keys, self._seed)
        return self._inputs[events]

    def _create(self, prefix: str, name: str) -> None:
        apply(self._admin, diff({}, prefix, PROFILE, [CATALOGUE[name]]))


def _say(text: str) -> None:
    sys.stderr.write(f"peers: {text}\n")
