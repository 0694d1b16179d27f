"""Local stores that are old, gone, damaged, foreign or in use: the changelog is the truth, whatever the disk says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from streams.shard import store as stores
from streams.testing.broker import Endpoints
from tests.integration.shard.hosts import Driven, Fatal, driven
from tests.integration.support import ROOT, Bench

pytestmark = pytest.mark.broker


@pytest.fixture
def bench(endpoints: Endpoints) -> Bench:
    return Bench(endpoints.bootstrap).create()


def _folder(bench: Bench, base: Path) -> Path:
    return base / bench.group / "0"


def _rows(running: Driven) -> dict[bytes, bytes]:
    return dict(running.shard().rows.scan(b"C"))


async def _work(bench: Bench, base: Path, count: int) -> dict[bytes, bytes]:
    """Write, count and stop; returns the rows."""
    bench.add(count)
    async with driven(bench, base) as running:
        await running.feed()
        return _rows(running)


async def _reopened(bench: Bench, base: Path) -> tuple[dict[bytes, bytes], dict[str, Any]]:
    """The rows after a start, and what the log said of it."""
    with capture_logs() as logs:
        async with driven(bench, base) as running:
            rows = _rows(running)
    return rows, dict(next(entry for entry in logs if entry["event"] == "shard opened"))


async def test_a_store_that_was_closed_needs_no_changelog(bench: Bench, tmp_path: Path) -> None:
    rows = await _work(bench, tmp_path, 50)
    again, log = await _reopened(bench, tmp_path)
    assert again == rows
    assert (log["rows_read"], log["store"]) == (0, "rolled forward")


async def test_an_old_disk_is_rolled_forward_by_the_missing_rows_only(bench: Bench, tmp_path: Path) -> None:
    await _work(bench, tmp_path, 200)
    shutil.copytree(_folder(bench, tmp_path), tmp_path / "old")
    rows = await _work(bench, tmp_path, 3)
    shutil.rmtree(_folder(bench, tmp_path))
    shutil.copytree(tmp_path / "old", _folder(bench, tmp_path))
    again, log = await _reopened(bench, tmp_path)
    assert again == rows
    assert (log["rows_read"], log["store"]) == (4, "rolled forward"), "three counts and the place"


async def test_a_deleted_store_is_rebuilt_from_the_changelog(bench: Bench, tmp_path: Path) -> None:
    rows = await _work(bench, tmp_path, 50)
    shutil.rmtree(tmp_path / bench.group)
    again, log = await _reopened(bench, tmp_path)
    assert again == rows
    assert (log["rows_read"], log["store"]) == (11, "new")


def _garbage(path: Path) -> None:
    path.write_bytes(b"no manifest\n")


def _flip_start(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 0xFF
    path.write_bytes(data)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("CURRENT", _garbage),
        ("MANIFEST-*", _flip_start),
        ("*.sst", _flip_start),
        ("*.sst", _cut),
        ("*.sst", Path.unlink),
    ],
    ids=["garbage in CURRENT", "a flipped manifest", "a flipped table", "a cut table", "a missing table"],
)
async def test_a_damaged_store_is_noticed_when_it_is_opened_and_rebuilt(
    bench: Bench, tmp_path: Path, file: str, damage: Callable[[Path], None]
) -> None:
    rows = await _work(bench, tmp_path, 50)
    for path in _folder(bench, tmp_path).glob(file):
        damage(path)
    again, log = await _reopened(bench, tmp_path)
    assert again == rows
    assert log["store"].startswith("RocksDB refuses it")
    assert log["rows_read"] == 11


async def test_damage_that_only_shows_while_reading_is_rebuilt_by_the_next_start(bench: Bench, tmp_path: Path) -> None:
    rows = await _work(bench, tmp_path, 50)
    async with driven(bench, tmp_path) as running:
        running.shard()._store.mark_damaged()
    again, log = await _reopened(bench, tmp_path)
    assert again == rows
    assert log["store"] == "marked as damaged by the process before"


async def test_a_store_of_another_changelog_is_discarded(bench: Bench, endpoints: Endpoints, tmp_path: Path) -> None:
    await _work(bench, tmp_path, 50)
    other = Bench(endpoints.bootstrap).create()
    rows = await _work(other, tmp_path / "other", 20)
    shutil.rmtree(_folder(other, tmp_path / "other"))
    shutil.copytree(_folder(bench, tmp_path), _folder(other, tmp_path / "other"))
    again, log = await _reopened(other, tmp_path / "other")
    assert again == rows
    assert log["store"].startswith("it is a cache of something else")


async def test_a_store_ahead_of_its_changelog_is_begun_anew(bench: Bench, tmp_path: Path) -> None:
    await _work(bench, tmp_path, 50)
    bench.delete("changelog.v1")
    bench.create(["changelog.v1"])
    again, log = await _reopened(bench, tmp_path)
    assert again == {}
    assert "past the changelog's end" in log["store"]


async def test_a_store_older_than_the_tombstones_it_may_have_missed_is_begun_anew(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = await _work(bench, tmp_path, 50)
    now = time.time()
    monkeypatch.setattr("streams.shard.restore.time.time", lambda: now + 4 * 86_400)
    again, log = await _reopened(bench, tmp_path)
    assert again == rows
    assert "tombstones may be gone" in log["store"]


def _holding(folder: Path) -> subprocess.Popen[str]:
    """A process that has the store open until it is sent a line."""
    code = (
        "import sys; from rocksdict import Rdict, Options; "
        "r = Rdict(sys.argv[1], options=Options(raw_mode=True)); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_a_store_in_use_by_another_process_is_waited_for_and_never_deleted(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _work(bench, tmp_path, 50)
    folder = _folder(bench, tmp_path)
    holder = _holding(folder)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        monkeypatch.setattr(stores, "LOCK_WAIT", 0.2)
        with pytest.raises(Fatal, match="state folder of its own"):
            await Driven(bench, tmp_path).assigned({0}, 1)
        assert list(folder.glob("*.sst")), "the files of the other process are still there"
        monkeypatch.setattr(stores, "LOCK_WAIT", 20.0)
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        _, log = await _reopened(bench, tmp_path)
    assert log["store"] == "rolled forward"


def _die_in_a_transaction(bench: Bench) -> None:
    """An owner of the shard that wrote a row and never committed it."""
    code = (
        "import json, os, sys; from confluent_kafka import Producer; c = json.loads(sys.argv[1]);"
        "p = Producer({'bootstrap.servers': c[0], 'transactional.id': c[1] + '-0', 'transaction.timeout.ms': 60000});"
        "p.init_transactions(30); p.begin_transaction(); p.produce(c[2], b'999', b'Ck0', 0); p.flush(10); os._exit(0)"
    )
    asked = json.dumps([bench.bootstrap, bench.group, bench.prefix + "changelog.v1"])
    subprocess.run([sys.executable, "-c", code, asked], check=True, timeout=60)


async def test_rows_of_an_aborted_transaction_are_never_restored(bench: Bench, tmp_path: Path) -> None:
    rows = await _work(bench, tmp_path, 20)
    _die_in_a_transaction(bench)
    assert bench.read("changelog.v1", "read_uncommitted")[-1].value() == b"999"
    shutil.rmtree(tmp_path / bench.group)
    again, log = await _reopened(bench, tmp_path)
    assert again == rows
    assert log["seconds"] < 10, "init_transactions ends what the dead owner left open"
