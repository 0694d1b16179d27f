"""What a registry once said, on disk: a registry that is away must not stop a process that has its schemas here.

One folder per registry, because ids mean nothing anywhere else:

    <folder>/<hash of the registry's address>/ids/<id>.avsc            the schema behind an id
    <folder>/<hash of the registry's address>/names/<name>-<hash>.id   the id of a local schema with this content
"""

from __future__ import annotations

import logging
import os
import tempfile
from hashlib import sha256
from pathlib import Path

log = logging.getLogger(__name__)


class SchemaCache:
    """Files that are replaced whole, so that processes may share the folder and a crash leaves none half written."""

    def __init__(self, folder: Path, address: str) -> None:
        home = folder / _digest(address)
        self._ids = home / "ids"
        self._names = home / "names"
        for path in (self._ids, self._names):
            path.mkdir(parents=True, exist_ok=True)

    def schema(self, schema_id: int) -> str | None:
        """The schema text behind an id, if it is known here."""
        return _read(self._ids / f"{schema_id}.avsc")

    def store_schema(self, schema_id: int, text: str) -> None:
        _replace(self._ids / f"{schema_id}.avsc", text)

    def id_of(self, name: str, text: str) -> int | None:
        """The id of the local schema `name` with exactly this text, if it is known here."""
        found = _read(self._name(name, text))
        return int(found) if found and found.isdecimal() else None

    def store_id(self, name: str, text: str, schema_id: int) -> None:
        _replace(self._name(name, text), str(schema_id))

    def clear(self) -> None:
        """Forget everything: the registry gives its ids another meaning now."""
        for folder in (self._ids, self._names):
            for path in folder.iterdir():
                path.unlink(missing_ok=True)

    def _name(self, name: str, text: str) -> Path:
        return self._names / f"{name}-{_digest(text)}.id"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    """Write beside and rename: a reader sees the old file or the new one.

    A full disk costs the cache, not the process: what was to be kept is known from the registry just now.
    """
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        log.warning("the schema cache cannot keep %s: %s", path, error)
