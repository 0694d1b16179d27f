"""On a real broker: a shop that gave up its webhooks because nobody answered is subscribed again, and what was lost in
between is read, with tokens that are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from schemas import topics
from schemas.codec import Record
from schemas.entities import EntityType
from streams.stack import Endpoints
from streams.testing.http import get
from streams.testing.merchant import SHOP, TENANT, WEBHOOK_SECRET, Merchant
from tests.e2e.pipeline import RAW, SCALE, Pipeline, until

pytestmark = pytest.mark.broker


class Kept(Merchant):
    """A merchant whose online shop knows no address of ours and no token without an end: the courier asks for both.
    Nothing is polled of its own accord after the first pass."""

    def config(self) -> dict[str, Any]:
        made = super().config()
        shop = made["tenants"][TENANT]["accounts"][SHOP]
        shop["secrets"] = {"webhook": [f"value:{WEBHOOK_SECRET}"], "client_secret": ["value:fake-client-secret"]}
        shop["settings"] |= {
            "client_id": "fake-client",
            "webhook_address": f"{self.urls['receiver']}/webhooks/shopify/{TENANT}/{SHOP}",
            "poll_interval": "3600",
            "poll_longest": "3600",
        }
        return made

    def environment(self, name: str) -> dict[str, str]:
        return {**super().environment(name), "SLUICE_COURIER_SUBSCRIPTIONS_INTERVAL": "1"}

    def resume_receiver(self) -> None:
        """Start it again at the address it had, and wait until it answers."""
        self._role("receiver", ["receiver"])
        until(lambda: get(f"{self.urls['receiver']}/readyz", parse=False) is not None, "the receiver is back")

    def _start_roles(self) -> None:
        self.control(SHOP, webhook_url="", refuse_fixed_token=True, retry_delay=0.05, removal_after=3)
        super()._start_roles()


@pytest.fixture
def kept(endpoints: Endpoints, tmp_path: Path) -> Iterator[Pipeline]:
    merchant = Kept(tmp_path, endpoints, SCALE, f"kept{uuid4().hex[:8]}.")
    try:
        merchant.start()
        pipeline = Pipeline(merchant)
        yield pipeline
        pipeline.reader.close()
    finally:
        merchant.stop()


def orders(pipeline: Pipeline) -> list[str]:
    values = pipeline.reader.latest(topics.state(EntityType.ORDER)).values()
    return [str(pipeline.codec.decode(value)["number"]) for value in values]


def read_orders(pipeline: Pipeline) -> list[Record]:
    return [one for one in pipeline.decoded(RAW) if one["topic"] == "order"]


def told(pipeline: Pipeline, number: str) -> set[str]:
    """Topics of the webhooks that named an order."""
    pushed = [one for one in pipeline.decoded(RAW) if one["channel"] == "webhook"]
    return {str(one["topic"]) for one in pushed if f'"{number}"'.encode() in one["body"]}


def held(pipeline: Pipeline) -> dict[str, int]:
    found: dict[str, int] = pipeline.merchant.stats(SHOP)["subscriptions"]
    return found


def test_a_shop_that_gave_up_its_webhooks_is_subscribed_again_and_what_it_did_not_tell_is_read(kept: Pipeline) -> None:
    merchant = kept.merchant
    assert isinstance(merchant, Kept)
    until(lambda: held(kept)["held"] == 10, "the courier subscribed all topics")
    merchant.edit(SHOP, do="create_order", lines={"SKU-1": 1})
    until(lambda: orders(kept) == ["#1001"], "an order that a webhook told of")
    merchant.tree.end(["receiver"])
    merchant.edit(SHOP, do="create_order", lines={"SKU-1": 2})
    until(lambda: held(kept)["removed"] >= 1, "the shop gave the topic up")
    until(lambda: "#1002" in orders(kept), "the order that no webhook told of")
    until(lambda: "backfill" in {one["channel"] for one in read_orders(kept)}, "a pass behind the new subscription")
    merchant.resume_receiver()
    until(lambda: held(kept)["held"] == 10, "nothing is given up any more")
    merchant.edit(SHOP, do="create_order", lines={"SKU-1": 3})
    until(lambda: "orders/create" in told(kept, "#1003"), "an order that the new subscription tells of")
    merchant.control(SHOP, never=1.0)
    merchant.edit(SHOP, do="create_order", lines={"SKU-1": 4})
    command = [sys.executable, "-m", "streams.cli.main", "polls", "now", f"{TENANT}|{SHOP}", "orders"]
    subprocess.run(command, env={**os.environ, **merchant.environment("cli")}, check=True, timeout=60)
    until(lambda: "#1004" in orders(kept), "the order that nobody told of and somebody asked for")
    assert merchant.stats(SHOP)["tokens_issued"] >= 1
    assert b"fake-client-secret" not in b"".join(one.value or b"" for one in kept.reader.read(topics.CALLS))
