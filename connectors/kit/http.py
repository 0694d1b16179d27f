"""Sends one request of a flow and says exactly what is known of its fate."""

from __future__ import annotations

from types import SimpleNamespace

import aiohttp
from yarl import URL

from connectors.kit.clock import Clock, SystemClock
from connectors.kit.contract import Account, Request, Response
from connectors.kit.errors import Invalid, OutcomeUnknown, Retry, SluiceError, Unavailable

LARGEST_REPLY = 16 * 1024 * 1024  # bytes, after decompression
TIMEOUT = 20.0  # seconds, connect to last byte
CONNECT_TIMEOUT = 10.0  # seconds
_CHUNK = 64 * 1024


class HttpSender:
    """One connection pool for all accounts of a process. Follows no redirect, keeps no cookie, retries nothing.

    Nothing behind the pacer's back: aiohttp's own repetition of idempotent requests on a dropped keep-alive
    connection is switched off, because it would be a call nobody charged or recorded.
    """

    def __init__(
        self, clock: Clock | None = None, largest_reply: int = LARGEST_REPLY, user_agent: str = "sluice"
    ) -> None:
        self._clock = clock or SystemClock()
        self._largest_reply = largest_reply
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        account: Account,
        request: Request,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 -- the caller's loop must not cancel: what was sent would be lost
    ) -> Response:
        """Send and read the whole reply, whatever its status. `timeout`: seconds, connect to last byte.

        Raises Unavailable when nothing was sent (name, connection, TLS); after that, for lack of a usable reply,
        OutcomeUnknown when `request.writes`, else Retry; Invalid when the request cannot be built, or when the reply
        to a read is larger than the limit.
        """
        fate = SimpleNamespace(connected=False)
        started_at = self._clock.now()
        try:
            async with self._open().request(
                request.method,
                self._url(account, request),
                headers=request.headers,
                data=request.body or None,
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, CONNECT_TIMEOUT)),
                allow_redirects=False,
                trace_request_ctx=fate,
            ) as reply:
                body = await self._read(reply, account, request)
                headers = _lower(reply)
                return Response(reply.status, headers, body, started_at, self._clock.now())
        except aiohttp.InvalidURL as error:
            raise _unsendable(account, request, error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _fate(account, request, error, sent=fate.connected) from error
        except ValueError as error:
            raise _unsendable(account, request, error) from error

    async def close(self) -> None:
        """Close all connections. The sender opens anew when it is used again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": self._user_agent},
                trace_configs=[_trace()],
            )
            self._session._retry_connection = False
        return self._session

    def _url(self, account: Account, request: Request) -> URL:
        """Always below the account's base URL: a path cannot name another host."""
        url = URL(f"{account.base_url.rstrip('/')}/{request.path.lstrip('/')}")
        return url.update_query(request.query) if request.query else url

    async def _read(self, reply: aiohttp.ClientResponse, account: Account, request: Request) -> bytes:
        """The body in bounded memory: a decompression bomb ends at the limit."""
        body = bytearray()
        async for chunk in reply.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > self._largest_reply:
                reply.close()
                detail = f"{_name(account, request)}: reply of status {reply.status} is above {self._largest_reply} B"
                if request.writes:
                    raise OutcomeUnknown(detail, reason="reply_too_large")
                raise Invalid(detail, reason="reply_too_large", hint="ask for smaller pages")
        return bytes(body)


def _trace() -> aiohttp.TraceConfig:
    """Marks the moment from which bytes may have left: a connection was there."""

    async def connected(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


def _unsendable(account: Account, request: Request, error: Exception) -> Invalid:
    return Invalid(f"{_name(account, request)} cannot be sent: {error}", reason="unsendable")


def _fate(account: Account, request: Request, error: Exception, *, sent: bool) -> SluiceError:
    kind = "timed out" if isinstance(error, TimeoutError) else f"failed: {type(error).__name__}"
    reason = "timeout" if isinstance(error, TimeoutError) else "connection"
    if not sent:
        return Unavailable(
            f"{_name(account, request)} {kind} before it was sent; {_cause(error)}", reason="unreachable"
        )
    if request.writes:
        return OutcomeUnknown(f"{_name(account, request)} {kind}; it may have been carried out", reason=reason)
    return Retry(f"{_name(account, request)} {kind}", reason=reason)


def _cause(error: Exception) -> str:
    """The system's words for it, without the library's wrapping."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return str(cause) or type(cause).__name__


def _name(account: Account, request: Request) -> str:
    return f"{request.operation} ({request.method} {request.endpoint}) at {account.tenant}/{account.id}"


def _lower(reply: aiohttp.ClientResponse) -> dict[str, str]:
    """Header names in lower case; repeated ones joined as RFC 9110 allows."""
    headers: dict[str, str] = {}
    for name, value in reply.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
