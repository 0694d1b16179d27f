"""Rows as a stopped process left them on its disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.kit.errors import Misconfigured
from schemas import topics
from schemas.topics import CATALOGUE
from streams.runtime.statesource import DiskSource, UnreadableStore, roles
from streams.shard.store import Identity, Store

CHANGELOG = "sluice.resolve-changelog.v1"
NOW_MS = 1_772_366_400_000


def wrote(folder: Path, shard: int, changelog: str = CHANGELOG, rows: dict[bytes, bytes | None] | None = None) -> Path:
    """What a process that stopped in good order leaves of a shard."""
    path = folder / "sluice.resolver" / str(shard)
    store = Store(path, Identity("cluster", changelog, shard))
    store.write({b"Ea": b"1", b"Eb": b"2", b"Ld": b"3"} if rows is None else rows, 17 + shard, NOW_MS)
    store.close()
    return path


def content(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]


def test_the_shards_below_a_folder_are_found_from_the_process_the_role_and_the_shard(tmp_path: Path) -> None:
    wrote(tmp_path, 0)
    path = wrote(tmp_path, 3)
    assert DiskSource(tmp_path, CHANGELOG).shards() == [0, 3]
    assert DiskSource(path.parent, CHANGELOG).shards() == [0, 3]
    assert DiskSource(path, CHANGELOG).shards() == [3]


def test_the_rows_are_those_of_the_role_and_not_what_the_store_says_of_itself(tmp_path: Path) -> None:
    wrote(tmp_path, 0)
    source = DiskSource(tmp_path, CHANGELOG)
    assert {key: (row.value, row.offset) for key, row in source.rows(0, lambda key: True).items()} == {
        b"Ea": (b"1", None), b"Eb": (b"2", None), b"Ld": (b"3", None),
    }  # fmt: skip
    assert set(source.rows(0, lambda key: key[:1] == b"E")) == {b"Ea", b"Eb"}


def test_it_is_told_how_far_the_store_had_come_and_whether_it_is_damaged(tmp_path: Path) -> None:
    path = wrote(tmp_path, 3)
    told = DiskSource(tmp_path, CHANGELOG).told(3)
    assert "up to changelog offset 20, written 2026-03-01 12:00:00Z" in told
    assert "damaged" not in told
    (path / "DAMAGED").touch()
    assert "marked as damaged" in DiskSource(tmp_path, CHANGELOG).told(3)


def test_reading_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    wrote(tmp_path, 0)
    before = content(tmp_path)
    source = DiskSource(tmp_path, CHANGELOG)
    source.rows(0, lambda key: True)
    source.told(0)
    assert content(tmp_path) == before


def test_a_store_of_another_changelog_is_not_taken_for_it(tmp_path: Path) -> None:
    wrote(tmp_path, 0, "other.resolve-changelog.v1")
    with pytest.raises(Misconfigured, match=r"only of other\.resolve-changelog\.v1: are --role and SLUICE_TOPIC"):
        DiskSource(tmp_path, CHANGELOG)


def test_a_folder_without_stores_or_no_folder_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="holds no store of"):
        DiskSource(tmp_path, CHANGELOG)
    with pytest.raises(Misconfigured, match=r"is no folder; .* SLUICE_STATE_DIR"):
        DiskSource(tmp_path / "nothing", CHANGELOG)


def test_a_shard_of_two_processes_is_not_read_from_either(tmp_path: Path) -> None:
    wrote(tmp_path / "a", 0)
    wrote(tmp_path / "b", 0)
    with pytest.raises(Misconfigured, match=r"shard 0 .* twice"):
        DiskSource(tmp_path, CHANGELOG)


HOLD = (
    "import fcntl, sys\nlock = open(sys.argv[1], 'rb+')\nfcntl.lockf(lock, fcntl.LOCK_EX)\nprint(flush=True)\ninput()\n"
)


def test_the_store_of_a_running_process_is_refused(tmp_path: Path) -> None:
    path = wrote(tmp_path, 0)
    running = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path / "LOCK")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert running.stdout is not None
        running.stdout.readline()
        with pytest.raises(UnreadableStore, match="open in a running process"):
            DiskSource(tmp_path, CHANGELOG)
    finally:
        running.communicate(b"\n", timeout=10)
    assert DiskSource(tmp_path, CHANGELOG).shards() == [0]


def test_a_damaged_file_is_told_and_not_read_as_the_end(tmp_path: Path) -> None:
    path = wrote(tmp_path, 0, rows={b"E%06d" % n: os.urandom(100) for n in range(2_000)})
    table = max(path.glob("*.sst"), key=lambda file: file.stat().st_size)
    data = bytearray(table.read_bytes())
    data[20_000:20_100] = bytes(100)
    table.write_bytes(data)
    with pytest.raises(UnreadableStore, match="rebuilds it"):
        DiskSource(tmp_path, CHANGELOG).rows(0, lambda key: True)


def test_every_changelog_of_the_catalogue_belongs_to_a_role() -> None:
    named = {name for name, topic in CATALOGUE.items() if not topic.schemas and name != topics.RESOLVE_SEEN}
    assert set(roles().values()) == named
