"""Secrets by reference and lists in account settings: what every platform's configuration shares."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured

MASK = "********"
_ALLOWED = "allowed: env:NAME, file:/path, value:TEXT"


def resolve(reference: str, environ: Mapping[str, str]) -> str:
    """The secret behind `env:NAME`, `file:/path` (its last line break dropped) or `value:TEXT`.

    Raises Misconfigured naming what is missing; the text never holds a secret, not even a mistyped reference.
    """
    kind, colon, rest = reference.partition(":")
    if not colon or kind not in ("env", "file", "value") or not rest:
        raise Misconfigured("a secret must be a reference, and this one is not", hint=_ALLOWED)
    if kind == "value":
        return rest
    secret = environ.get(rest, "") if kind == "env" else _read(rest)
    if not secret:
        what = f"environment variable {rest} is not set" if kind == "env" else f"file {rest} is empty"
        raise Misconfigured(what, hint="the account's secret is read from it")
    return secret


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise Misconfigured(f"file {path} cannot be read: {error.strerror}", hint="is the secret mounted?") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"file {path} is not UTF-8 text", hint="a secret is text") from error


def required(account: Account, name: str) -> str:
    """An account setting that must be there. Raises Misconfigured."""
    value = account.settings.get(name, "")
    if not value:
        raise Misconfigured(f"account {account.tenant}/{account.id} ({account.platform}): setting {name} is missing")
    return value


def only(account: Account, known: Collection[str]) -> None:
    """Refuse settings that nobody reads: a misspelt one would leave its default in force. Raises Misconfigured."""
    strange = sorted(set(account.settings) - set(known))
    if strange:
        text = f"account {account.tenant}/{account.id} ({account.platform}): unknown setting {', '.join(strange)}"
        raise Misconfigured(text, hint=f"allowed: {', '.join(sorted(known))}")


def pairs(account: Account, name: str) -> dict[str, str]:
    """A setting like `655441491=MAIN, 24826418=SHOP` as a dict; empty when it is not set. Raises Misconfigured."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in account.settings.get(name, "").split(","))):
        key, equals, value = (text.strip() for text in part.partition("="))
        if not (key and equals and value) or key in found:
            raise Misconfigured(
                f"account {account.tenant}/{account.id}: setting {name} has {part!r}",
                hint="allowed: KEY=VALUE, KEY=VALUE, ... with each key once",
            )
        found[key] = value
    return found
