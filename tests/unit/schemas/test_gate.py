from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas import codec, gate
from schemas.codec import load
from schemas.subjects import record_subject, registered_names, strictest, subjects
from schemas.topics import CATALOGUE, Compatibility


def test_every_schema_in_force_keeps_the_promises_of_its_history() -> None:
    """If this fails, run `sluice schemas check`: it says what to do."""
    assert gate.problems() == []


def test_every_schema_of_the_catalogue_is_frozen() -> None:
    assert {version.name for version in gate.history()} == set(registered_names())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A history in which everything is frozen."""
    gate.freeze(tmp_path)
    return tmp_path


def _change(monkeypatch: pytest.MonkeyPatch, name: str, schema: dict[str, Any]) -> None:
    monkeypatch.setattr(gate, "load", lambda asked: schema if asked == name else load(asked))


def _with_field(name: str, **field: Any) -> dict[str, Any]:
    schema = load(name)
    return schema | {"fields": [*schema["fields"], {"name": "added", "doc": "Added."} | field]}


def test_numbers_count_freezes_over_all_schemas(folder: Path) -> None:
    assert [version.number for version in gate.history(folder)] == list(range(1, len(registered_names()) + 1))


def test_freezing_again_adds_nothing(folder: Path) -> None:
    assert gate.freeze(folder) == []
    assert gate.problems(folder) == []


def test_a_changed_schema_is_held_up_until_it_is_frozen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _change(monkeypatch, "price", _with_field("price", type=["null", "int"], default=None))
    (problem,) = gate.problems(folder)
    assert problem.startswith("price: was changed since it was frozen; run `sluice schemas freeze`")
    (path,) = gate.freeze(folder)
    assert path == folder / "price" / f"{len(registered_names()) + 1:04}.avsc"
    assert gate.problems(folder) == []


def test_a_new_schema_is_held_up_until_it_is_frozen(tmp_path: Path) -> None:
    problems = gate.problems(tmp_path)
    assert len(problems) == len(registered_names())
    assert all("has no history; run `sluice schemas freeze`" in problem for problem in problems)


def test_an_incompatible_schema_is_refused_with_path_and_rule_and_cannot_be_frozen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change(monkeypatch, "price", _with_field("price", type="int"))
    (problem,) = gate.problems(folder)
    assert "FULL_TRANSITIVE is broken" in problem
    assert "sluice.Price.added: the field is not written and has no default" in problem
    with pytest.raises(gate.Incompatible, match=r"sluice\.Price\.added"):
        gate.freeze(folder)
    assert len(gate.history(folder)) == len(registered_names())


def test_an_incompatible_schema_that_was_written_into_the_history_by_hand_is_still_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = _with_field("price", type="int")
    _change(monkeypatch, "price", broken)
    (folder / "price" / "0099.avsc").write_bytes(orjson.dumps(broken))
    assert any("FULL_TRANSITIVE is broken" in problem for problem in gate.problems(folder))


def test_a_field_without_a_doc_is_refused_wherever_it_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = {"type": "record", "name": "Bare", "doc": "Bare.", "fields": [{"name": "deep", "type": "int"}]}
    added = _with_field("price", type={"type": "array", "items": bare}, default=[])
    _change(monkeypatch, "price", added)
    assert any("Price.added.deep has no doc" in problem for problem in gate.problems(folder))


def test_a_schema_avro_refuses_is_named_and_not_compared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _change(monkeypatch, "price", _with_field("price", type="no such type"))
    (problem,) = gate.problems(folder)
    assert problem.startswith("price: is not a valid Avro schema")


def test_the_history_of_a_schema_no_topic_uses_is_reported(folder: Path) -> None:
    (folder / "gone").mkdir()
    (folder / "gone" / "0099.avsc").write_bytes(orjson.dumps(load("money")))
    assert gate.problems(folder) == [
        "gone: has a history, but no topic uses it; delete the folder when no record is left"
    ]


def test_the_strictest_of_a_schemas_topics_decides() -> None:
    assert strictest("price") is Compatibility.FULL_TRANSITIVE
    assert strictest("push_task") is Compatibility.BACKWARD


def test_every_schema_file_is_used_by_a_topic_or_inside_another() -> None:
    assert set(codec.names()) - set(registered_names()) == {"meta", "money"}


def test_subjects_are_those_of_all_topics_and_all_records() -> None:
    found = {subject.subject: subject for subject in subjects("dev.")}
    promised = {name for topic in CATALOGUE.values() for name in topic.subjects("dev.")}
    assert promised <= set(found)
    assert {record_subject(load(name)) for name in registered_names()} <= set(found)
    assert found["dev.state.price.v1-value"].name == "price"
    assert found["sluice.Price"].level is Compatibility.FULL_TRANSITIVE
