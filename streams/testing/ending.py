"""How a long test ends at the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar, NoReturn, Protocol

import click


class Scored(Protocol):
    """A dataclass of figures; `failed`: what went wrong, a line each."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def failed(self) -> Sequence[str]: ...


def end_with(score: Scored) -> NoReturn:
    """Print what went wrong, then the figures and the verdict as one line of JSON. Exits 1 when anything did."""
    for line in score.failed:
        click.echo(line, err=True)
    result = asdict(score)
    del result["failed"]
    click.echo(json.dumps({**result, "passed": not score.failed}))
    sys.exit(bool(score.failed))
