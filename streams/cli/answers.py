"""What the commands about rows share: rows as indented lines, errors as sentences with an exit code of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from confluent_kafka import KafkaException

from connectors.kit.errors import Misconfigured
from schemas.admin import TopicError
from schemas.codec import CodecError
from schemas.registry import RegistryError
from streams.runtime.state import UnreadableRow
from streams.runtime.statesource import UnreadableStore

NOT_ASKED = 2  # exit code; 0 and 1 are answers


class Unanswered(click.ClickException):
    """The question could not be asked: neither yes nor no."""

    exit_code = NOT_ASKED


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the user can mend is shown as a sentence, not as a traceback. Raises Unanswered."""
    try:
        yield
    except (
        Misconfigured, TopicError, CodecError, RegistryError, UnreadableRow, UnreadableStore, TimeoutError
    ) as error:  # fmt: skip
        raise Unanswered(str(error)) from error
    except KafkaException as error:
        raise Unanswered(f"reading the topics failed: {error.args[0]}; see `sluice stack status`") from error


def lines(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Names and values below each other, what is within them further in."""
    for name, one in value.items():
        if isinstance(one, Mapping):
            yield f"{indent}{name}"
            yield from lines(one, indent + "  ")
        elif isinstance(one, list) and any(isinstance(item, Mapping) for item in one):
            for number, item in enumerate(one, 1):
                yield f"{indent}{name} {number}"
                yield from lines(item, indent + "  ")
        else:
            shown = ", ".join(map(str, one)) if isinstance(one, list) else one
            yield f"{indent}{name:<18}{'-' if shown in (None, '') else shown}"
