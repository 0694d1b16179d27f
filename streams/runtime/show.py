"""The settings as rows for people: value, source, meaning; secrets masked."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import SecretStr

from connectors.kit.log import redact_text
from connectors.kit.settings import MASK
from streams.runtime.settings import FILE_VARIABLE, PREFIX, Settings, is_secret, variable

_OTHERS = {FILE_VARIABLE, "SLUICE_CACHE", "SLUICE_BROKER"}  # read elsewhere, as is what begins with ...
_STACK = "SLUICE_STACK_"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. `source`: default, env or file."""

    name: str
    value: str
    source: str
    variable: str
    secret: bool
    description: str


def rows(settings: Settings, environ: Mapping[str, str] | None = None) -> list[Row]:
    """All settings in catalogue order; a secret's value is only whether it is set."""
    environ = os.environ if environ is None else environ
    upper = {name.upper(): value for name, value in environ.items()}
    in_file = _file_keys(upper.get(FILE_VARIABLE, ""))
    found = []
    for name, field in Settings.model_fields.items():
        source = "env" if upper.get(variable(name)) else "file" if name in in_file else "default"
        secret = is_secret(field)
        value = getattr(settings, name)
        found.append(Row(name, _text(value), source, variable(name), secret, field.description or ""))
    return found


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    return "" if value is None else redact_text(str(value))


def _file_keys(path: str) -> set[str]:
    if not path:
        return set()
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return set(content) if isinstance(content, dict) else set()


def unknown(environ: Mapping[str, str] | None = None) -> list[str]:
    """`SLUICE_*` variables nobody reads, each with the nearest setting.

    They are no error at start: Kubernetes sets variables of its own for services whose name begins with sluice.
    """
    environ = os.environ if environ is None else environ
    known = {variable(name) for name in Settings.model_fields} | _OTHERS
    found = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith(_STACK):
            near = difflib.get_close_matches(name, known, n=1)
            found.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    return found
