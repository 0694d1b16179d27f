"""Which record killed the interpreter: found by marks that survive a process, and never by chance."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streams.shard.attempts import GUILTY, Attempts, Suspect

POSITIONS = {"t": 0, "u": 0}


def _records(*offsets: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in offsets]


def _offsets(attempts: Attempts, topic: str, *offsets: int) -> list[list[int]]:
    return [[record.offset for record in run] for run in attempts.runs(topic, _records(*offsets))]


def _die_on(path: Path, topic: str, *offsets: int, positions: dict[str, int] | None = None) -> None:
    """As a process that dies in the middle of these records: the mark is not taken away."""
    attempts = Attempts(path, positions or POSITIONS)
    mark = attempts.under_way(topic, _records(*offsets))
    mark.__enter__()
    kept = path.read_bytes()
    mark.__exit__(None, None, None)
    attempts.close()
    path.write_bytes(kept)


def test_after_an_orderly_end_all_records_are_one_run(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "0", POSITIONS)
    with attempts.under_way("t", _records(1, 2)):
        pass
    attempts.close()
    attempts = Attempts(tmp_path / "0", POSITIONS)
    records = _records(1, 2, 3)
    assert next(attempts.runs("t", records)) is records
    assert not attempts.suspects
    attempts.close()


def test_records_that_were_under_way_are_processed_alone_and_the_others_together(tmp_path: Path) -> None:
    _die_on(tmp_path / "0", "t", 5, 6, 9)
    attempts = Attempts(tmp_path / "0", POSITIONS)
    assert _offsets(attempts, "t", 3, 4, 5, 6, 9, 10, 11) == [[3, 4], [5], [6], [9], [10, 11]]
    assert _offsets(attempts, "u", 5, 6) == [[5, 6]]
    attempts.passed("t", 9)
    assert _offsets(attempts, "t", 9, 10) == [[9], [10]]
    attempts.passed("t", 10)
    assert not attempts.suspects
    attempts.close()


def test_a_record_is_guilty_when_the_process_died_on_it_alone_twice(tmp_path: Path) -> None:
    _die_on(tmp_path / "0", "t", 5, 6, 7)
    for deaths in range(GUILTY):
        attempts = Attempts(tmp_path / "0", POSITIONS)
        assert [attempts.deaths("t", n) for n in (5, 6, 7)] == [0, deaths, 0]
        attempts.close()
        _die_on(tmp_path / "0", "t", 6)
    attempts = Attempts(tmp_path / "0", POSITIONS)
    assert attempts.deaths("t", 6) == GUILTY
    assert attempts.deaths("u", 6) == 0
    assert _offsets(attempts, "t", 4, 5, 6, 7, 8) == [[4], [5], [6], [7], [8]]
    attempts.close()


def test_two_guilty_records_of_different_topics_are_both_remembered_until_they_are_committed(tmp_path: Path) -> None:
    for topic, offset in (("t", 6), ("u", 2), ("t", 6), ("u", 2)):
        _die_on(tmp_path / "0", topic, offset)
    attempts = Attempts(tmp_path / "0", POSITIONS)
    assert (attempts.deaths("t", 6), attempts.deaths("u", 2)) == (2, 2)
    attempts.passed("t", 7)
    attempts.close()
    attempts = Attempts(tmp_path / "0", {"t": 6, "u": 3})
    assert (attempts.deaths("t", 6), attempts.deaths("u", 2)) == (2, 0), "processed is not committed"
    attempts.close()
    attempts = Attempts(tmp_path / "0", {"t": 7, "u": 3})
    assert not attempts.suspects
    attempts.close()


def test_a_topic_that_is_no_input_any_more_is_forgotten(tmp_path: Path) -> None:
    _die_on(tmp_path / "0", "gone", 6)
    attempts = Attempts(tmp_path / "0", POSITIONS)
    assert not attempts.suspects
    attempts.close()


def test_an_exception_accuses_nobody_and_memory_that_ran_out_does(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "0", POSITIONS)
    with pytest.raises(RuntimeError), attempts.under_way("t", _records(1)):
        raise RuntimeError
    attempts.close()
    attempts = Attempts(tmp_path / "0", POSITIONS)
    assert not attempts.suspects
    with pytest.raises(MemoryError), attempts.under_way("t", _records(1)):
        raise MemoryError
    attempts.close()
    attempts = Attempts(tmp_path / "0", POSITIONS)
    assert attempts.suspects == [Suspect("t", 1, 2, 1)]
    attempts.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_file_that_is_not_whole_accuses_nobody(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for size in (0, 1, 40, 512, 700):
        (tmp_path / "0").write_bytes(b"\1" + chance.randbytes(size))
        attempts = Attempts(tmp_path / "0", POSITIONS)
        assert not attempts.suspects
        attempts.close()


def test_the_longest_name_a_topic_can_have_fits(tmp_path: Path) -> None:
    name = "x" * 249
    _die_on(tmp_path / "0", name, 3, positions={name: 0})
    attempts = Attempts(tmp_path / "0", {name: 0})
    assert attempts.deaths(name, 3) == 1
    attempts.close()


def test_a_mark_survives_the_interpreter_it_was_made_in(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from types import SimpleNamespace as R;"
        "from streams.shard.attempts import Attempts;"
        "mark = Attempts(Path(sys.argv[1]), {'t': 0}).under_way('t', [R(offset=4)]); mark.__enter__(); os._exit(3)"
    )
    path = tmp_path / "0"
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[3], env=dict(os.environ))
    assert done.returncode == 3
    attempts = Attempts(path, POSITIONS)
    assert attempts.suspects == [Suspect("t", 4, 5, 1)]
    attempts.close()
