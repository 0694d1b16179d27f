"""What stands in the logs, and what never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from connectors.kit import log
from connectors.kit.errors import Misconfigured


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_level_time_name_and_what_is_bound() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream, role="receiver")
    log.get("streams.receiver").info("delivery kept", account="shop-de", bytes=12)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "delivery kept",
        "account": "shop-de",
        "bytes": 12,
        "level": "info",
        "logger": "streams.receiver",
        "role": "receiver",
    }


def test_a_librarys_log_looks_like_ours_and_keeps_its_arguments() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    logging.getLogger("aiokafka.consumer").warning("joined group %s", "resolver")
    assert lines(stream)[0]["event"] == "joined group resolver"


@pytest.mark.parametrize(
    "key", ["token", "access_token", "client_secret", "Authorization", "broker_password", "x-shopify-hmac-sha256"]
)
def test_a_value_whose_key_looks_like_a_secret_is_masked_at_any_depth(key: str) -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    log.get("x").info("sent", **{key: "hunter2"}, request={"headers": [{key: "hunter2"}]})
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count(log.MASK) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /api?ws_key=UCCLLQ9N2A&page=2 failed", "GET /api?ws_key=********&page=2 failed"),
        ("header was Bearer shpat_0123456789", "header was Bearer ********"),
        ("cannot reach redis://user:hunter2@host/0", "cannot reach redis://********@host/0"),
        ("nothing secret: tokens=3", "nothing secret: tokens=3"),
    ],
)
def test_a_secret_inside_of_a_text_is_masked_and_the_rest_is_kept(text: str, expected: str) -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    log.get("x").info(text)
    assert lines(stream)[0]["event"] == expected


def test_a_secret_in_a_traceback_is_masked() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    try:
        raise RuntimeError("refused: token=abcdef123456")
    except RuntimeError:
        log.get("x").exception("call failed")
    assert "RuntimeError" in lines(stream)[0]["exception"]
    assert "abcdef123456" not in stream.getvalue()


def test_a_body_is_never_logged_as_it_is() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    log.get("x").info("undecodable", body=b"mail@example.org")
    assert lines(stream)[0]["body"] == "<16 bytes>"


def test_what_is_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    log.configure("warning", "json", stream)
    log.get("x").info("quiet")
    logging.getLogger("y").info("quiet")
    assert stream.getvalue() == ""


def test_the_console_format_is_for_people() -> None:
    stream = io.StringIO()
    log.configure("info", "console", stream)
    log.get("x").info("ready", port=8080)
    assert "ready" in stream.getvalue()
    assert "port=8080" in stream.getvalue()


@pytest.mark.parametrize(("level", "format"), [("loud", "json"), ("info", "xml")])
def test_an_unknown_level_or_format_is_refused_with_what_is_allowed(level: str, format: str) -> None:
    with pytest.raises(Misconfigured, match="allowed: debug, info, warning, error; json, console"):
        log.configure(level, format)
