"""Signed webhooks of any REST vendor, by declaration. Pure, on the receiver's hot path."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from connectors.kit.contract import Account, Delivery, DeliveryFacts
from connectors.kit.errors import BadSignature
from connectors.kit.signatures import fits, header


class Text(StrEnum):
    """How a digest is written."""

    HEX = "hex"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class HmacSha256:
    """A header with the HMAC-SHA256 of the body, or of `<time stamp>.<body>` where the vendor signs a time stamp.

    `timestamp_header`: epoch seconds of the attempt, which must be within `tolerance` seconds of its arrival; `prefix`
    stands before the digest, e.g. `sha256=`.
    """

    header: str
    text: Text = Text.HEX
    prefix: str = ""
    timestamp_header: str = ""
    tolerance: float = 300.0

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Accept when any of the active secrets fits. Raises BadSignature otherwise."""
        signature, message = header(delivery, self.header), delivery.body
        if self.timestamp_header:
            stamp = header(delivery, self.timestamp_header)
            message = stamp + b"." + delivery.body
        if not fits(signature, message, secrets, self.written):
            raise BadSignature(
                f"{self.header} fits none of the {len(secrets)} active secrets",
                hint="is the secret the one this subscription was made with? Was the body changed on its way?",
            )
        if self.timestamp_header:
            self._check_age(stamp, delivery.received_at)

    def written(self, digest: bytes) -> bytes:
        """The header's value for a digest."""
        text = digest.hex().encode() if self.text is Text.HEX else b64encode(digest)
        return self.prefix.encode() + text

    def _check_age(self, stamp: bytes, received_at: int) -> None:
        """After the signature, so that only what the vendor signed is told about clocks."""
        sent_at = int(stamp) if stamp.isdigit() and len(stamp) <= 12 else None
        if sent_at is None:
            raise BadSignature(f"{self.timestamp_header} is not a number of epoch seconds")
        age = received_at / 1_000_000 - sent_at
        if abs(age) > self.tolerance:
            raise BadSignature(
                f"{self.timestamp_header} is {age:.0f} s before the arrival, {self.tolerance:g} s are allowed",
                hint="a recorded delivery sent again, or one of the two clocks is wrong",
            )


class RestSource:
    """Implements contract.Source: one signature scheme, and headers that name the event and its topic.

    `secret`: the name of the account's secret; `id_header`: the vendor's name of the event, the same in every attempt.
    """

    def __init__(
        self,
        signature: HmacSha256,
        *,
        id_header: str,
        topic_header: str,
        secret: str = "webhook",
        max_body: int = 1024 * 1024,
    ) -> None:
        self._signature = signature
        self._id_header, self._topic_header, self._secret = id_header, topic_header, secret
        self.max_body = max_body
        self.kept_headers = tuple(name for name in (id_header, topic_header, signature.timestamp_header) if name)

    def authenticate(self, account: Account, delivery: Delivery) -> None:
        """The signature. Raises BadSignature."""
        self._signature.verify(delivery, account.secrets.get(self._secret, ()))

    def facts(self, account: Account, delivery: Delivery) -> DeliveryFacts:
        """Never raises: without the vendor's name of the event its id is derived from topic and content."""
        topic = delivery.headers.get(self._topic_header, "").strip()
        named = delivery.headers.get(self._id_header, "").strip()
        return DeliveryFacts(named or _content_id(topic, delivery.body), topic)


def _content_id(topic: str, body: bytes) -> str:
    return "content-" + blake2b(topic.encode("utf-8", "surrogateescape") + b"\0" + body, digest_size=16).hexdigest()
