"""What a run of the peers prints and writes."""

from __future__ import annotations

import json

import pytest

from benchmarks.peers.figures import Figures
from benchmarks.peers.table import BEGIN, END, HEAD, Row, as_json, ratio, replaced, section, table, verdict

RIGHT = Row(
    "fast", "Fast engine", "RocksDB", 1_100_000, "pass", "40", Figures(80_000, 12.34, 14.06, 10.0, 2.0, 400), {"x": "1"}
)
WRONG = Row("odd", "Odd engine", "none", 1_100_000, "FAIL: 3 keys wrong at the end", "20")
ABSENT = Row("away", "Absent engine", "none", 1_000_000, "not run: pip | said no\ntwice", "20")


def test_the_table_has_one_line_per_peer_and_the_same_cells_in_each() -> None:
    lines = table([RIGHT, WRONG, ABSENT]).splitlines()
    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {len(HEAD) + 1}
    assert lines[2] == "| Fast engine | RocksDB | 1,100,000 | 80,000 | 12.3 | 14.1 | 10.0 | 2.0 | 400 | pass | 40 |"


def test_a_wrong_answer_is_listed_with_how_and_without_figures() -> None:
    assert "| Odd engine | none | 1,100,000 | - | - | - | - | - | - | FAIL: 3 keys wrong at the end | 20 |" in table(
        [WRONG]
    )


def test_the_verdict_names_each_kind_of_finding_that_there_is() -> None:
    clean = {"wrong_final": 0, "regressions": 0, "lost": 0, "duplicates": 0, "oracle": "pass"}
    assert verdict(clean) == "pass"
    found = verdict({**clean, "wrong_final": 4_458, "regressions": 2, "oracle": "fail"})
    assert found == "FAIL: 4,458 keys wrong at the end, 2 outputs not newer than the one before"


def test_the_ratio_compares_second_halves_and_needs_both() -> None:
    ours = RIGHT.ended("pass", figures=Figures(1, 1.0, 1.0, 6.0, None, 1))
    other = Row("other", "Other", "", 1, "pass", "", Figures(1, 1.0, 1.0, 12.0, None, 1))
    assert ratio([ours, other], "fast", "other") == 0.5
    assert ratio([ours, WRONG], "fast", "odd") is None


def test_a_row_keeps_its_events_when_its_outcome_names_none() -> None:
    assert RIGHT.ended("not run: why").events == RIGHT.events
    assert RIGHT.ended("pass", 7).events == 7


def test_the_section_replaces_the_one_before_and_leaves_the_rest_as_it_is() -> None:
    old, new = section([WRONG], "facts", []), section([RIGHT], "other facts", ["a note"])
    file = f"# Results\n\nours\n\n{old}\n\nbelow\n"
    assert replaced(file, new) == f"# Results\n\nours\n\n{new}\n\nbelow\n"


def test_a_file_without_a_section_gets_it_at_its_end() -> None:
    part = section([RIGHT], "facts", [])
    assert replaced("# Results\n\nours\n", part) == f"# Results\n\nours\n\n{part}\n"


@pytest.mark.parametrize("broken", [f"a {BEGIN} b", f"a {END} b", f"{END} a {BEGIN}"])
def test_a_section_with_one_marker_is_refused_rather_than_guessed(broken: str) -> None:
    with pytest.raises(ValueError, match="markers"):
        replaced(broken, section([RIGHT], "facts", []))


def test_the_section_names_versions_between_its_markers() -> None:
    part = section([RIGHT, WRONG], "facts", [""])
    assert part.startswith(BEGIN)
    assert part.endswith(END)
    assert "- Fast engine: x 1" in part
    assert "- Odd engine" not in part


def test_the_rows_become_json() -> None:
    first, second = json.loads(json.dumps(as_json([RIGHT, WRONG])))
    assert first["figures"]["second_half"] == 10.0
    assert second["figures"] is None
