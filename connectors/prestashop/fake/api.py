"""The webservice without the wire: key, resource, method, list, record, write."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.prestashop.fake import query as queries
from connectors.prestashop.fake import render, writes
from connectors.prestashop.fake.errors import WebserviceError
from connectors.prestashop.fake.records import Row
from connectors.prestashop.fake.schema import PRODUCTS, RESOURCES, STOCK, Resource
from connectors.prestashop.fake.store import Shop

_KEY_LENGTH = 32


@dataclass(frozen=True)
class Answer:
    """One reply. `wrote`: something was carried out that a lost reply would hide."""

    status: int
    body: bytes = b""
    authenticated: bool = True
    json: bool = True
    wrote: bool = False


@dataclass(frozen=True)
class Call:
    """One request; header names in lower case, `path` behind /api/."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> bool:
        """Whether the reply is to be JSON; XML is the default."""
        asked = [self.query.get(name, "") for name in ("output_format", "io_format")]
        asked += [self.headers.get(name, "") for name in ("output-format", "io-format")]
        return "JSON" in asked


class Api:
    """Answers the requests of one shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def answer(self, call: Call) -> Answer:
        """One request."""
        authenticated = False
        try:
            self._authenticate(call)
            authenticated = True
            resource = _resource(call)
            if call.method == "PUT":
                row = writes.put(self._shop, resource, call.body, call.headers.get("x-request-id", ""))
                return self._shown(call, resource, [row], None, single=True, wrote=True)
            if call.method == "POST":
                row = writes.post(self._shop, resource, call.body, call.headers.get("x-request-id", ""))
                return self._shown(call, resource, [row], None, single=True, wrote=True, status=201)
            remote_id = call.path.partition("/")[2]
            return self._one(call, resource, remote_id) if remote_id else self._list(call, resource)
        except WebserviceError as error:
            body = render.errors([(error.code, error.message)], json=call.json)
            return Answer(error.status, body, authenticated, call.json)

    def _authenticate(self, call: Call) -> None:
        if not self._shop.options.webservice:
            raise WebserviceError(503, 22, "The PrestaShop webservice is disabled. Please activate it")
        key = _key(call)
        if key is None:
            raise WebserviceError(401, 16, "Please enter the authentication key as the login. No password required")
        if not key:
            raise WebserviceError(401, 17, "Authentication key is empty")
        if len(key) != _KEY_LENGTH:
            raise WebserviceError(401, 18, "Invalid authentication key format")
        if key != self._shop.options.key:
            raise WebserviceError(401, 20, "Authentification key is not active")

    def _list(self, call: Call, resource: Resource) -> Answer:
        names = queries.displayed(resource, call.query)
        return self._shown(call, resource, queries.select(resource, self._rows(resource), call.query), names)

    def _one(self, call: Call, resource: Resource, remote_id: str) -> Answer:
        table = self._shop.tables[resource.name]
        row = table.get(int(remote_id)) if remote_id.isdecimal() else None
        if row is None:
            return Answer(404, json=call.json)
        if resource is STOCK and row["id_shop"] != "1":
            raise WebserviceError(404, 131, f"This StockAvailable ({remote_id}) does not exists on this shop")
        if "display" not in call.query:
            return self._shown(call, resource, [row], None, single=True)
        return self._shown(call, resource, [row], queries.displayed(resource, call.query))

    def _rows(self, resource: Resource) -> list[Row]:
        rows = self._shop.tables[resource.name].values()
        return [row for row in rows if resource is not STOCK or row["id_shop"] == "1"]

    def _shown(
        self,
        call: Call,
        resource: Resource,
        rows: list[Row],
        names: Sequence[str] | None,
        *,
        single: bool = False,
        wrote: bool = False,
        status: int = 200,
    ) -> Answer:
        shown = [render.record(self._shop, resource, row, names) for row in rows]
        write = render.as_json if call.json else render.as_xml
        return Answer(status, write(resource, shown, single=single), json=call.json, wrote=wrote)


def _resource(call: Call) -> Resource:
    name = call.path.partition("/")[0]
    resource = RESOURCES.get(name)
    if resource is None:
        raise WebserviceError(400, 27, f'Resource of type "{name}" does not exists. Did you mean: "{PRODUCTS.name}"?')
    if call.method not in resource.methods:
        known = call.method in ("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD")
        message = f"Method {call.method} is not allowed for the resource {name} with this authentication key"
        raise WebserviceError(405, 25 if known else 23, message)
    return resource


def _key(call: Call) -> str | None:
    """The user name of the Basic credentials, or the `ws_key` parameter."""
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return call.query.get("ws_key")
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[0]
    except (Base64Error, UnicodeDecodeError):
        return ""
