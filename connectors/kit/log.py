"""Structured logs: one line per event, JSON for machines or coloured text for people, never a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import IO, Any

import structlog

from connectors.kit.errors import Misconfigured

MASK = "********"
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("json", "console")
_SECRET_KEY = re.compile(
    r"token|secret|authorization|password|passwd|hmac|signature|cookie|credential|api[-_]?key", re.IGNORECASE
)
_SECRET_TEXT = re.compile(
    r"(?P<name>(?:access_token|api_key|ws_key|password|secret|signature|hmac|token)=)[^\s&\"']+"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<url>\w+://)[^/\s:@]*:[^/\s@]+@",
    re.IGNORECASE,
)


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: masks values whose key looks like a secret, and secrets inside of texts and URLs."""
    for key in event:
        event[key] = MASK if _SECRET_KEY.search(key) and event[key] else _clean(event[key])
    return event


def redact_text(text: str) -> str:
    """The text with what looks like a secret masked: `token=...`, `Bearer ...`, credentials in a URL."""
    return _SECRET_TEXT.sub(_mask, text)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return dict(redact(None, "", {str(key): inner for key, inner in value.items()}))
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    return value


def _mask(match: re.Match[str]) -> str:
    kept = match["name"] or match["scheme"] or match["url"]
    return f"{kept}{MASK}{'@' if match['url'] else ''}"


def configure(level: str = "info", format: str = "console", stream: IO[str] | None = None, **bound: str) -> None:
    """Send the logs of this process, libraries' included, to `stream` (standard error) with `bound` on every line.

    Call once per process. Raises Misconfigured for an unknown level or format.
    """
    if level not in LEVELS or format not in FORMATS:
        raise Misconfigured(
            f"log level {level!r}, format {format!r}", hint=f"allowed: {', '.join(LEVELS)}; {', '.join(FORMATS)}"
        )
    stream = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)
    _install(stream, level, _formatter(format, stream, shared))


def _formatter(format: str, stream: IO[str], shared: list[Any]) -> logging.Formatter:
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    )


def _install(stream: IO[str], level: str, formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log.info("delivery kept", account=..., bytes=...)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
