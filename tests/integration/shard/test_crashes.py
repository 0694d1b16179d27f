"""Processes that are killed, stopped and replaced: what they leave is exactly what the log says."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.testing.broker import Endpoints
from tests.integration.support import Bench, Member, until

pytestmark = pytest.mark.broker


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as members:
        yield members


def test_a_zombie_with_an_open_transaction_is_fenced_and_nothing_is_lost_or_repeated(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap, partitions=2).create()
    bench.add(400)
    zombie = stack.enter_context(Member(bench, "zombie", tmp_path)).start(fault="stop-before-commit:2")
    zombie.wait_stopped()
    heir = stack.enter_context(Member(bench, "heir", tmp_path)).start()
    bench.add(400)
    bench.wait_consumed()
    zombie.send(signal.SIGCONT)
    assert zombie.wait() == 70, zombie.text()
    bench.add(400)
    bench.wait_consumed()
    heir.stop()
    bench.check_exactly_once()


@pytest.mark.parametrize("fault", ["kill-before-commit", "kill-after-commit"])
def test_a_kill_around_a_commit_repeats_and_loses_nothing(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack, fault: str
) -> None:
    bench = Bench(endpoints.bootstrap, partitions=2).create()
    member = stack.enter_context(Member(bench, "m", tmp_path))
    bench.add(500)
    member.start(fault=f"{fault}:2")
    assert member.wait() == -signal.SIGKILL
    bench.add(500)
    member.start()
    bench.wait_consumed()
    member.stop()
    bench.check_exactly_once()


def test_five_kills_at_random_moments_leave_exactly_once_counts(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap, partitions=2).create()
    member = stack.enter_context(Member(bench, "m", tmp_path))
    chance = random.Random(7)
    for round_ in range(5):
        member.start()
        member.wait_for("shards assigned", round_ + 1)
        for _ in range(chance.randrange(1, 6)):
            bench.add(chance.randrange(50, 400))
        member.kill()
    member.start()
    bench.wait_consumed()
    member.stop()
    bench.check_exactly_once()


def test_a_graceful_stop_takes_seconds_and_leaves_nothing_to_repeat(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap, partitions=2).create()
    bench.add(300)
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    until(lambda: sum(bench.committed()) > 0, "something is committed")
    bench.add(300)
    assert member.stop() < 10.0
    done, emitted = bench.committed(), bench.outputs()
    assert sum(max(0, offset) for offset in done) == len(emitted) == emitted.total()  # -1: nothing yet
    member.start()
    member.wait_for("shard opened", 4)
    bench.wait_consumed()
    member.stop()
    assert member.text().count("rows_read=0") >= 4, "the second start had to read rows again"
    bench.check_exactly_once()


def test_damage_met_while_serving_ends_the_process_and_the_next_start_rebuilds(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(3_000, keys=3_000)
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    bench.wait_consumed()
    member.stop()
    for table in (tmp_path / "m" / bench.group / "0").glob("*.sst"):
        data = bytearray(table.read_bytes())
        for at in range(len(data) // 4, len(data) // 2, 500):
            data[at] ^= 0xFF
        table.write_bytes(data)
    member.start()
    member.wait_for("rolled forward")
    bench.add(3_000, keys=3_000)
    assert member.wait() == 70
    assert "Damaged" in member.text()
    member.start()
    bench.wait_consumed()
    member.stop()
    assert "marked as damaged by the process before" in member.text()
    bench.check_exactly_once()


def test_joining_and_leaving_moves_only_the_needed_shards_and_loses_nothing(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap, partitions=4).create()
    first = stack.enter_context(Member(bench, "a", tmp_path)).start()
    first.wait_for("shards assigned")
    bench.add(400)
    second = stack.enter_context(Member(bench, "b", tmp_path)).start()
    second.wait_for("shards assigned")
    first.wait_for("shards assigned", 2)
    assert "restoring=[]" in first.text().splitlines()[-1], "a shard that stays is not opened again"
    bench.add(400)
    bench.wait_consumed()
    second.kill()
    bench.add(400)
    first.wait_for("shards assigned", 3)
    first.wait_for("shard opened", 4 + 2)
    bench.wait_consumed()
    assert first.text().count("shard opened") == 4 + 2, "only the two shards of the dead member are opened"
    first.stop()
    bench.check_exactly_once()


def test_the_committed_offset_never_passes_a_held_record_even_across_a_crash(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    bench.add(10)
    bench.write([(0, "k", "hold 9000000000000001")])
    bench.add(10)
    until(lambda: bench.outputs().total() == 20, "everything that is not held is out")
    assert bench.committed() == [10]
    member.kill()
    member.start()
    member.wait_for("shards assigned", 2)
    bench.add(10)
    until(lambda: bench.outputs().total() == 30, "the records after the restart are out")
    assert bench.committed() == [10]
    bench.write([(0, "k", "free")])
    bench.wait_consumed()
    member.stop()
    assert bench.outputs().pop("9000000000000001") == 1
    assert bench.outputs().total() == 31, "read again, applied once"


def test_lost_records_end_the_process_with_a_message(endpoints: Endpoints, tmp_path: Path, stack: ExitStack) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(20)
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    bench.wait_consumed()
    member.send(signal.SIGSTOP)
    bench.add(20)  # the answer of a fetch that was under way
    bench.add(20)
    bench.truncate("in.v1", 0, 60)
    bench.add(20)
    member.send(signal.SIGCONT)
    assert member.wait() == 70
    assert "records were lost" in member.text()


def test_a_topic_made_anew_under_a_running_process_ends_it(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(200)
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    bench.wait_consumed()
    member.send(signal.SIGSTOP)
    bench.delete("in.v1")
    bench.create(["in.v1"])
    bench.add(5)
    member.send(signal.SIGCONT)
    assert member.wait() == 70
    assert "it was cut or made anew" in member.text()


def test_a_committed_offset_outside_the_log_is_a_clear_error(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(20)
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    bench.wait_consumed()
    member.stop()
    bench.add(20)
    bench.truncate("in.v1", 0, 30)
    member.start()
    assert member.wait() == 70
    assert "the committed offset 20 of" in member.text()
    assert "--reset-offsets" in member.text()
    assert bench.committed() == [20], "nothing was decided for the operator"


def test_records_that_were_deleted_unread_are_skipped_only_when_told_to_and_said_once(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(20)
    member = stack.enter_context(Member(bench, "m", tmp_path, {"offsets_lost": "skip"})).start()
    bench.wait_consumed()
    member.stop()
    bench.add(20)
    bench.truncate("in.v1", 0, 30)
    member.start()
    bench.wait_consumed()
    assert bench.outputs().total() == 30, "ten are gone, everything else is done once"
    bench.truncate("in.v1", 0, 40)
    member.stop()
    member.start()
    member.wait_for("shard opened", 3)
    member.stop()
    said = [line for line in member.text().splitlines() if "deleted before they were read" in line]
    assert len(said) == 1
    assert all(part in said[0] for part in ("error", f"{bench.prefix}in.v1", "first=20", "end=30", "partition=0"))


def test_skipping_is_remembered_even_when_nothing_comes_after_it(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(20)
    member = stack.enter_context(Member(bench, "m", tmp_path, {"offsets_lost": "skip"})).start()
    bench.wait_consumed()
    member.stop()
    bench.add(5)
    bench.truncate("in.v1", 0, 25)
    member.start()
    bench.wait_consumed()
    member.stop()


def test_an_exception_in_the_role_ends_the_process_and_commits_nothing_of_the_batch(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(5)
    bench.write([(0, "k", "boom")])
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    assert member.wait() == 70
    assert "RuntimeError: boom" in member.text()
    assert bench.committed() in ([-1], [0])
    assert bench.outputs().total() == 0


def test_a_record_that_kills_the_interpreter_is_given_up_and_its_neighbours_are_not(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.add(10)
    bench.write([(0, "k", "die")])
    bench.add(10)
    member = stack.enter_context(Member(bench, "m", tmp_path))
    for _ in range(3):  # with its neighbours, and twice alone
        member.start()
        assert member.wait() == 13
    member.start()
    bench.wait_consumed()
    bench.add(10)
    bench.wait_consumed()
    member.stop()
    assert bench.outputs().pop("diverted 10 after 2") == 1
    assert bench.outputs().total() == 31
    assert "is a dead letter now" in member.text()
    bench.check_exactly_once(beside=("diverted 10 after 2",))


def test_a_poisoned_record_on_a_lost_disk_is_found_again(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap).create()
    bench.write([(0, "k", "die")])
    member = stack.enter_context(Member(bench, "m", tmp_path)).start()
    assert member.wait() == 13
    shutil.rmtree(tmp_path / "m")
    for _ in range(2):
        member.start()
        assert member.wait() == 13
    member.start()
    bench.wait_consumed()
    member.stop()
    assert bench.outputs() == {"diverted 0 after 2": 1}
