"""What the client makes of a registry that is ill: a server that answers as it is told."""

from __future__ import annotations

import json
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from schemas.registry import HttpRegistry, RegistryError, RegistryRefused, RegistryUnavailable, open_codec
from tests.unit.schemas.examples import a_price


class Told(ThreadingHTTPServer):
    """Answers every request with `status` and `body`; keeps what it was asked."""

    status = 200
    body = "{}"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], str]] = []

    @property
    def url(self) -> str:
        return f"http://user:s%40cret@127.0.0.1:{self.server_port}/apis/ccompat/v7/"


class _Handler(BaseHTTPRequestHandler):
    server: Told

    def _reply(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append((self.command, self.path, dict(self.headers), content))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body.encode())

    do_GET = do_POST = do_PUT = _reply  # noqa: N815 - the names http.server looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error."""


@pytest.fixture
def told() -> Iterator[Told]:
    with Told() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_requests_are_those_of_the_confluent_api(told: Told) -> None:
    reply = {
        "id": 7,
        "compatibilityLevel": "FULL",
        "compatibility": "FULL",
        "is_compatible": True,
        "schema": '"string"',
    }
    told.body = json.dumps(reply)
    registry = HttpRegistry(told.url)
    assert registry.lookup("a/b", '"string"') == 7
    assert registry.register("a", '"string"') == 7
    assert registry.schema(7) == '"string"'
    assert registry.compatibility("a") == "FULL"
    registry.set_compatibility("a", "FULL")
    assert registry.compatible("a", '"string"') is True
    assert [(method, path) for method, path, _, _ in told.asked] == [
        ("POST", "/apis/ccompat/v7/subjects/a%2Fb"),
        ("POST", "/apis/ccompat/v7/subjects/a/versions"),
        ("GET", "/apis/ccompat/v7/schemas/ids/7"),
        ("GET", "/apis/ccompat/v7/config/a"),
        ("PUT", "/apis/ccompat/v7/config/a"),
        ("POST", "/apis/ccompat/v7/compatibility/subjects/a/versions"),
    ]
    assert json.loads(told.asked[0][3]) == {"schema": '"string"'}
    assert told.asked[0][2]["Content-Type"] == "application/vnd.schemaregistry.v1+json"


def test_a_schema_that_is_no_avro_is_not_taken_for_one(told: Told) -> None:
    told.body = '{"schema": "{}", "schemaType": "JSON"}'
    assert HttpRegistry(told.url).schema(7) is None


def test_user_and_password_of_the_url_are_sent_decoded(told: Told) -> None:
    told.body = '{"id": 7}'
    HttpRegistry(told.url).lookup("a", "x")
    assert told.asked[0][2]["Authorization"] == f"Basic {b64encode(b'user:s@cret').decode()}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_registry_that_is_ill_may_be_asked_again(told: Told, status: int) -> None:
    told.status = status
    with pytest.raises(RegistryUnavailable, match=str(status)):
        HttpRegistry(told.url).lookup("a", "x")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_named_and_never_shown(told: Told, status: int) -> None:
    told.status = status
    with pytest.raises(RegistryRefused, match="credentials") as caught:
        HttpRegistry(told.url).lookup("a", "x")
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("status", [409, 422, 302])
def test_what_else_is_refused_comes_with_the_registrys_own_words(told: Told, status: int) -> None:
    told.status, told.body = status, '{"message": "field zz"}'
    with pytest.raises(RegistryRefused, match="field zz"):
        HttpRegistry(told.url).register("a", "x")


def test_a_missing_subject_is_no_error_where_one_looks_and_one_where_one_writes(told: Told) -> None:
    told.status = 404
    assert HttpRegistry(told.url).lookup("a", "x") is None
    assert HttpRegistry(told.url).schema(1) is None
    with pytest.raises(RegistryRefused, match="404"):
        HttpRegistry(told.url).register("a", "x")


@pytest.mark.parametrize("body", ["<html>login</html>", "", "[]", '{"other": 1}'])
def test_an_answer_of_something_else_points_to_the_url(told: Told, body: str) -> None:
    told.body = body
    with pytest.raises(RegistryRefused, match="SLUICE_REGISTRY"):
        HttpRegistry(told.url).lookup("a", "x")


def test_a_port_nobody_listens_at_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(RegistryUnavailable, match="does not answer"):
            HttpRegistry(f"http://127.0.0.1:{free.getsockname()[1]}").schema(1)


def test_a_registry_that_accepts_and_says_nothing_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(RegistryUnavailable, match="TimeoutError"):
        HttpRegistry(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout=0.1).schema(1)


def test_a_registry_that_hangs_up_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:
        thread = threading.Thread(target=_hang_up, args=(rude,))
        thread.start()
        with pytest.raises(RegistryUnavailable):
            HttpRegistry(f"http://127.0.0.1:{rude.getsockname()[1]}").schema(1)
        thread.join()


def _hang_up(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_codec_that_was_warmed_writes_for_the_first_time_without_the_registry(told: Told, tmp_path: Path) -> None:
    told.body = '{"id": 7}'
    codec = open_codec(told.url, tmp_path, warm=["price"])
    assert len(told.asked) == 1
    told.status = 503
    assert codec.encode("price", a_price())[:5] == b"\0\0\0\0\7"


def test_every_error_of_a_registry_is_one_family() -> None:
    assert issubclass(RegistryUnavailable, RegistryError)
    assert issubclass(RegistryRefused, RegistryError)
