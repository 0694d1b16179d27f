"""What a data folder remembers and how the next start is planned from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.stack.errors import StateMismatch
from streams.stack.layout import StackOptions
from streams.stack.state import Ports, State, load, plan, save

KNOWN = State("known-id", Ports(kafka=(25001,), controllers=(25002,), registry=25003))


def planned(options: StackOptions, known: State | None = None, taken: frozenset[int] = frozenset()) -> State:
    return plan(
        options,
        known,
        new_id=lambda: "new-id",
        free=lambda count: list(range(30_000, 30_000 + count)),
        is_free=lambda port: port not in taken,
    )


def test_a_first_start_takes_the_default_ports() -> None:
    assert planned(StackOptions()) == State("new-id", Ports((19092,), (19093,), 18080))


def test_each_further_broker_listens_two_ports_higher() -> None:
    ports = planned(StackOptions(brokers=3, kafka_port=20_000)).ports

    assert ports.kafka == (20_000, 20_002, 20_004)
    assert ports.controllers == (20_001, 20_003, 20_005)


def test_port_zero_means_any_free_ports_all_different() -> None:
    ports = planned(StackOptions(brokers=3, kafka_port=0)).ports

    assert len({*ports.kafka, *ports.controllers}) == 6


def test_without_a_choice_a_later_start_keeps_what_is_remembered() -> None:
    assert planned(StackOptions(), KNOWN) == KNOWN


def test_port_zero_keeps_the_remembered_ports_while_they_are_free() -> None:
    options = StackOptions(kafka_port=0, registry_port=0)

    assert planned(options, KNOWN) == KNOWN
    moved = planned(options, KNOWN, taken=frozenset({25002, 25003}))
    assert moved.cluster_id == KNOWN.cluster_id
    assert not {*moved.ports.kafka, *moved.ports.controllers, moved.ports.registry} & {25002, 25003}


def test_a_chosen_port_wins_over_the_remembered_one() -> None:
    state = planned(StackOptions(kafka_port=21_000, registry_port=21_005), KNOWN)

    assert state == State("known-id", Ports((21_000,), (21_001,), 21_005))


def test_another_number_of_brokers_than_the_data_was_made_for_is_refused() -> None:
    with pytest.raises(StateMismatch, match=r"1 broker\(s\), 3 asked for.*sluice stack reset"):
        planned(StackOptions(brokers=3), KNOWN)


def test_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    save(path, KNOWN)

    assert load(path) == KNOWN
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_folder_never_used_has_no_state(tmp_path: Path) -> None:
    assert load(tmp_path / "state.json") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cluster_id": "x", "ports": {"kafka": 1}}'])
def test_a_damaged_state_file_names_itself_and_the_way_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(StateMismatch, match=r"state\.json cannot be read.*sluice stack reset"):
        load(path)
