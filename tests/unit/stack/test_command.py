"""`sluice stack` as a user meets it when nothing runs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main


def sluice(*arguments: object, **environ: str) -> Result:
    return CliRunner().invoke(main, ["stack", *map(str, arguments)], env=environ)


@pytest.mark.parametrize(
    ("option", "variable"),
    [
        ("--dir", "SLUICE_STACK_DIR"),
        ("--brokers", "SLUICE_STACK_BROKERS"),
        ("--kafka-port", "SLUICE_STACK_KAFKA_PORT"),
        ("--registry-port", "SLUICE_STACK_REGISTRY_PORT"),
        ("--ports", "SLUICE_STACK_PORTS"),
        ("--kafka-heap", "SLUICE_STACK_KAFKA_HEAP"),
        ("--registry-heap", "SLUICE_STACK_REGISTRY_HEAP"),
        ("--log-level", "SLUICE_STACK_LOG_LEVEL"),
        ("--timeout", "SLUICE_STACK_TIMEOUT"),
        ("--cache", "SLUICE_CACHE"),
    ],
)
def test_every_option_of_up_shows_its_variable(option: str, variable: str) -> None:
    text = sluice("up", "--help").output

    assert option in text
    assert variable in text


def test_status_of_an_unused_folder_says_how_to_begin_and_fails(tmp_path: Path) -> None:
    result = sluice("status", "--dir", tmp_path)

    assert result.exit_code == 1
    assert "sluice stack up" in result.output
    assert json.loads(sluice("status", "--dir", tmp_path, "--json").output) == {
        "ready": False,
        "servers": [],
        "endpoints": None,
    }


def test_down_and_reset_of_an_unused_folder_have_nothing_to_do(tmp_path: Path) -> None:
    assert sluice("down", "--dir", tmp_path).output == "nothing was running\n"
    reset = sluice("reset", "--dir", tmp_path)
    assert reset.exit_code == 0
    assert "nothing to delete" in reset.output


def test_reset_deletes_the_stack_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "kafka-1" / "data").mkdir(parents=True)
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    (tmp_path / "state.json").write_text("damaged", encoding="utf-8")

    result = sluice("reset", SLUICE_STACK_DIR=str(tmp_path))

    assert result.exit_code == 0
    assert f"deleted {tmp_path / 'kafka-1'}" in result.output
    assert f"deleted {tmp_path / 'state.json'}" in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt", "lock"}


def test_a_taken_port_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        result = sluice("up", "--dir", tmp_path, "--ports", "auto", SLUICE_STACK_REGISTRY_PORT=str(port))

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: port {port} (registry) is already in use")


def test_logs_show_one_server_plainly_and_several_by_name(tmp_path: Path) -> None:
    for name in ("kafka-1", "kafka-2", "registry"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "server.log").write_text(f"of {name}\nlast\n", encoding="utf-8")

    assert sluice("logs", "registry", "--dir", tmp_path).output == "of registry\nlast\n"
    assert sluice("logs", "kafka-2", "-n", 1, "--dir", tmp_path).output == "last\n"
    assert sluice("logs", "kafka", "-n", 1, "--dir", tmp_path).output == "kafka-1 | last\nkafka-2 | last\n"
    unknown = sluice("logs", "zookeeper", "--dir", tmp_path)
    assert unknown.exit_code == 1
    assert "there is: kafka-1, kafka-2, registry" in unknown.output
