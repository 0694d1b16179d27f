"""From samples of a peer to its figures."""

from __future__ import annotations

from benchmarks.peers.figures import QUIET, SETTLED, Sample, finished, summarise


def sample(at: float, written: int, committed: int, cpu: float = 0.0, broker: float | None = 0.0) -> Sample:
    return Sample(at, cpu, broker, 50.0 + at, written, committed)


def test_a_run_is_not_finished_before_the_first_output() -> None:
    assert not finished([sample(0, 0, 0), sample(QUIET * 3, 0, 0)], 10)


def test_a_run_is_finished_once_all_is_committed_and_the_outputs_stand_still() -> None:
    samples = [sample(0, 0, 0), sample(1, 8, 10), sample(1 + SETTLED, 8, 10)]
    assert not finished(samples, 10)
    assert finished([*samples, sample(1.1 + SETTLED, 8, 10)], 10)


def test_outputs_after_the_last_commit_keep_a_run_open() -> None:
    assert not finished([sample(0, 7, 10), sample(1.5, 7, 10), sample(2.5, 8, 10)], 10)


def test_a_run_that_commits_too_little_ends_after_a_long_quiet_time() -> None:
    samples = [sample(1, 8, 9), sample(QUIET, 8, 9)]
    assert not finished(samples, 10)
    assert finished([*samples, sample(QUIET + 1.1, 8, 9)], 10)


def test_figures_are_per_million_events_of_the_part_of_the_run_they_cover() -> None:
    samples = [
        sample(0.5, 0, 0, cpu=1.0, broker=2.0),
        sample(1.0, 40, 0, cpu=2.0, broker=3.0),
        sample(2.0, 60, 100, cpu=3.0, broker=4.0),
        sample(3.0, 100, 150, cpu=6.0, broker=5.0),
        sample(4.0, 100, 200, cpu=7.0, broker=7.0),
        sample(9.0, 100, 200, cpu=9.0, broker=9.0),
    ]
    figures = summarise(samples, 200)
    assert figures.rate == 120 / (3.0 - 1.0)
    assert figures.cpu == round((7.0 - 2.0) / 120 * 1e6, 2)
    assert figures.with_start == 7.0 / 200 * 1e6
    assert figures.second_half == (7.0 - 3.0) / 80 * 1e6
    assert figures.broker_cpu == (7.0 - 2.0) / 200 * 1e6
    assert figures.rss == 59


def test_a_peer_without_commits_is_charged_for_its_last_snapshot() -> None:
    samples = [sample(0, 0, 0), sample(1, 10, 0, cpu=1.0), sample(1 + QUIET, 10, 0, cpu=1.5)]
    assert summarise(samples, 10).with_start == 1.5 / 10 * 1e6


def test_a_broker_that_cannot_be_seen_has_no_figure() -> None:
    samples = [sample(0, 0, 0, broker=None), sample(1, 10, 10, broker=None)]
    assert summarise(samples, 10).broker_cpu is None
