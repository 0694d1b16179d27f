"""A schema registry as Sluice uses it: the verbs, the errors, and the client of the Confluent REST API.

Source of the API: Confluent Schema Registry API reference, version 7; Apicurio Registry 3.3 serves the same below
`/apis/ccompat/v7`.
"""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from typing import Any, Protocol
from urllib.parse import SplitResult, quote, unquote, urlsplit

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
TIMEOUT = 5.0  # In seconds, to connect and for each read; a starting process has its cache to fall back on
PATIENCE = 30.0  # In seconds, the same for an operator's command, which has nothing to fall back on


class RegistryError(Exception):
    """Something between us and the schema registry."""


class RegistryUnavailable(RegistryError):
    """The registry is away or overloaded; nothing was decided, the same again may succeed."""


class NotRegistered(RegistryError):
    """The registry answers, but does not hold one of our schemas."""


class RegistryRefused(RegistryError):
    """The registry refuses: credentials, an incompatible or an invalid schema. Trying again cannot help."""


class Registry(Protocol):
    """What Sluice needs of a registry. Every verb raises RegistryUnavailable or RegistryRefused."""

    @property
    def address(self) -> str:
        """Where it is, without credentials: for messages and as the name of its cache."""
        ...

    def lookup(self, subject: str, schema: str) -> int | None:
        """The id of exactly this schema under the subject; None when subject or schema is not there."""
        ...

    def schema(self, schema_id: int) -> str | None:
        """The Avro schema behind an id, as JSON text; None when the id is unknown or is no Avro schema."""
        ...

    def register(self, subject: str, schema: str) -> int:
        """The id of this schema, which is a version of the subject from now on."""
        ...

    def compatibility(self, subject: str) -> str | None:
        """The subject's own compatibility level; None when it has none of its own."""
        ...

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the subject's own compatibility level; the subject need not exist yet."""
        ...

    def compatible(self, subject: str, schema: str) -> bool:
        """Whether the registry would accept this schema as the subject's next version."""
        ...


class HttpRegistry:
    """The Confluent API over http.client: one connection per request, because requests come at start-up only.

    `url` may carry a user and a password (HTTP Basic). Proxy variables of the environment are not obeyed.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        """Raises ValueError for what is no http or https URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the URL of a schema registry: {url!r}; e.g. http://127.0.0.1:18080/apis/ccompat/v7")
        self._parts = parts
        self._timeout = timeout
        self._headers = {"Content-Type": CONTENT_TYPE, "Accept": f"{CONTENT_TYPE}, application/json"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        self.address = _address(parts)

    def lookup(self, subject: str, schema: str) -> int | None:
        reply = self._call("POST", f"/subjects/{_part(subject)}", "id", {"schema": schema}, missing_ok=True)
        return None if reply is None else int(reply["id"])

    def schema(self, schema_id: int) -> str | None:
        reply = self._call("GET", f"/schemas/ids/{schema_id}", "schema", missing_ok=True)
        if reply is None or reply.get("schemaType", "AVRO") != "AVRO":
            return None
        return str(reply["schema"])

    def register(self, subject: str, schema: str) -> int:
        path = f"/subjects/{_part(subject)}/versions"
        return int(self._required("POST", path, "id", {"schema": schema}))

    def compatibility(self, subject: str) -> str | None:
        reply = self._call("GET", f"/config/{_part(subject)}", "compatibilityLevel", missing_ok=True)
        return None if reply is None else str(reply["compatibilityLevel"])

    def set_compatibility(self, subject: str, level: str) -> None:
        self._required("PUT", f"/config/{_part(subject)}", "compatibility", {"compatibility": level})

    def compatible(self, subject: str, schema: str) -> bool:
        path = f"/compatibility/subjects/{_part(subject)}/versions"
        return bool(self._required("POST", path, "is_compatible", {"schema": schema}))

    def _required(self, method: str, path: str, key: str, body: dict[str, str]) -> Any:
        """The value of `key` in the reply; a subject that is missing is an error here."""
        reply = self._call(method, path, key, body)
        assert reply is not None
        return reply[key]

    def _call(
        self, method: str, path: str, key: str, body: dict[str, str] | None = None, *, missing_ok: bool = False
    ) -> dict[str, Any] | None:
        """The reply, an object that has `key`; None when what is asked for is missing and may be."""
        status, text = self._exchange(method, path, None if body is None else json.dumps(body))
        what = f"{method} {path} at the schema registry {self.address}"
        if status == http.client.NOT_FOUND and missing_ok:
            return None
        if status >= 500 or status in (http.client.REQUEST_TIMEOUT, http.client.TOO_MANY_REQUESTS):
            raise RegistryUnavailable(f"{what} failed with HTTP {status}: {text[:300]}")
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            raise RegistryRefused(f"{what} was refused with HTTP {status}: check the credentials in SLUICE_REGISTRY")
        if status != http.client.OK:
            raise RegistryRefused(f"{what} was refused with HTTP {status}: {text[:600]}")
        reply = _object(text)
        if key not in reply:
            hint = "SLUICE_REGISTRY must be the URL of the Confluent API, e.g. .../apis/ccompat/v7"
            raise RegistryRefused(f"{what} answered without {key!r}: {text[:80]!r}; {hint}")
        return reply

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        """Raises RegistryUnavailable when no complete reply comes."""
        connection = self._connect()
        try:
            payload = None if body is None else body.encode()
            connection.request(method, self._parts.path.rstrip("/") + path, payload, self._headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise RegistryUnavailable(
                f"the schema registry {self.address} does not answer ({type(error).__name__}: {error}); "
                f"is it up? `sluice stack status` shows the local one, SLUICE_REGISTRY names another"
            ) from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout)


def _address(parts: SplitResult) -> str:
    """The URL without user and password."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def _part(subject: str) -> str:
    return quote(subject, safe="")


def _object(text: str) -> dict[str, Any]:
    """The JSON object; an empty one when it is something else."""
    try:
        reply = json.loads(text)
    except ValueError:
        return {}
    return reply if isinstance(reply, dict) else {}
