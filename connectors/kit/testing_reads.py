"""The promises of what only a courier asks a platform for: polls, tokens, webhook subscriptions. For tests only.

class TestShopifyPolls(PollerContract):
    @pytest.fixture
    async def polls(self) -> LivePolls: ...

class TestShopifyTokens(TokensContract):          fixture `doors`
class TestShopifySubscriptions(SubscriptionsContract):   fixture `subscribed`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from connectors.kit import errors
from connectors.kit.contract import (
    Account,
    CanonicalMapping,
    Flow,
    Page,
    Poller,
    Request,
    Response,
    Subscriptions,
    Token,
    Tokens,
)
from connectors.kit.testing import Send, drive, read, refusal, response

# ----------------------------------------------------------------------------------------------- polls


@dataclass(frozen=True)
class LivePolls:
    """A poller under test, and a shop that holds at least one record of each of its resources. `now`: microseconds UTC
    by the shop's clock."""

    poller: Poller
    mapping: CanonicalMapping
    account: Account
    send: Send
    now: Callable[[], int]


async def whole_pass(live: LivePolls, resource: str, cursor: Mapping[str, Any]) -> tuple[list[Page], list[Request]]:
    """All pages of one pass, and the requests they took. Raises AssertionError when it does not end."""
    sent: list[Request] = []

    async def send(request: Request) -> Response:
        sent.append(request)
        return await live.send(request)

    pages: list[Page] = []
    for _ in range(100):
        pages.append(await drive(live.poller.page(live.account, resource, cursor, live.now()), send))
        if pages[-1].done:
            return pages, sent
        cursor = pages[-1].cursor
    raise AssertionError(f"a pass of {resource} does not end")


class PollerContract:
    """What the courier relies on. The subclass gives the fixture `polls`."""

    async def test_every_resource_shows_what_the_shop_holds(self, polls: LivePolls) -> None:
        for resource in polls.poller.resources(polls.account):
            pages, _ = await whole_pass(polls, resource.name, {})
            seen = [one for page in pages for one in page.observations]
            assert seen, resource.name
            for one in seen:
                polls.mapping.map(polls.account, read(polls.account, one, polls.now()))

    async def test_cursors_can_be_stored_and_read_back(self, polls: LivePolls) -> None:
        for resource in polls.poller.resources(polls.account):
            for page in (await whole_pass(polls, resource.name, {}))[0]:
                assert orjson.loads(orjson.dumps(dict(page.cursor))) == dict(page.cursor), resource.name

    async def test_a_scan_is_complete_at_its_end_and_names_each_record_alike(self, polls: LivePolls) -> None:
        for resource in polls.poller.resources(polls.account):
            first, again = [(await whole_pass(polls, resource.name, {}))[0] for _ in range(2)]
            if resource.scan:
                assert [page.complete_scan for page in first] == [page.done for page in first], resource.name
                assert _content(first) == _content(again), resource.name

    async def test_a_pass_goes_on_from_the_cursor_of_the_one_before(self, polls: LivePolls) -> None:
        for resource in polls.poller.resources(polls.account):
            pages, _ = await whole_pass(polls, resource.name, {})
            again, _ = await whole_pass(polls, resource.name, pages[-1].cursor)
            assert again[-1].done

    async def test_intervals_are_above_nothing_and_names_differ(self, polls: LivePolls) -> None:
        resources = polls.poller.resources(polls.account)
        assert len({resource.name for resource in resources}) == len(resources)
        for resource in resources:
            assert resource.interval > 0
            assert resource.longest == 0 or resource.longest >= resource.interval

    async def test_a_poll_only_reads_and_every_request_has_a_cost_and_a_name_without_ids(
        self, polls: LivePolls
    ) -> None:
        for resource in polls.poller.resources(polls.account):
            _, sent = await whole_pass(polls, resource.name, {})
            for request in sent:
                assert not request.writes
                assert request.cost > 0
                assert not any(character.isdigit() for character in request.operation)

    async def test_a_throttled_page_names_the_wait(self, polls: LivePolls) -> None:
        for resource in polls.poller.resources(polls.account):
            flow = polls.poller.page(polls.account, resource.name, {}, polls.now())
            next(flow)
            error = refusal(lambda flow=flow: flow.send(response(429, b"", retry_after="7")))  # type: ignore[misc]
            assert isinstance(error, errors.Throttled)
            assert error.retry_after == 7.0

    async def test_a_page_of_a_failing_server_or_with_garbage_is_read_again(self, polls: LivePolls) -> None:
        for resource in polls.poller.resources(polls.account):
            for reply in (response(503), response(200, b"<html>")):
                flow = polls.poller.page(polls.account, resource.name, {}, polls.now())
                next(flow)
                error = refusal(lambda flow=flow, reply=reply: flow.send(reply))  # type: ignore[misc]
                assert isinstance(error, errors.Retry), resource.name


def _content(pages: Iterable[Page]) -> set[tuple[str, str, bytes]]:
    return {(one.topic, one.resource_id, one.body) for page in pages for one in page.observations}


# ----------------------------------------------------------------------------------------------- tokens


@dataclass(frozen=True)
class LiveTokens:
    """Tokens under test. `opens`: a flow that works only with a token; `stranger`: the account with a wrong secret;
    `fixed`: the account with credentials of its own, None where there are no such."""

    tokens: Tokens
    account: Account
    send: Send
    opens: Callable[[Account], Flow]
    stranger: Account
    fixed: Account | None = None


class TokensContract:
    """What the courier relies on. The subclass gives the fixture `doors`."""

    async def test_a_token_that_was_asked_for_opens_the_door(self, doors: LiveTokens) -> None:
        assert doors.tokens.needed(doors.account)
        token: Token = await drive(doors.tokens.acquire(doors.account), doors.send)
        assert token.lives_for > 0
        await drive(doors.opens(laid_over(doors.account, token)), doors.send)

    async def test_a_door_does_not_open_to_a_token_that_nobody_gave(self, doors: LiveTokens) -> None:
        token: Token = await drive(doors.tokens.acquire(doors.account), doors.send)
        forged = replace(token, secrets=dict.fromkeys(token.secrets, "forged"))
        try:
            await drive(doors.opens(laid_over(doors.account, forged)), doors.send)
        except errors.Unauthorised:
            return
        raise AssertionError("a forged token did not raise Unauthorised")

    async def test_a_stranger_gets_no_token(self, doors: LiveTokens) -> None:
        try:
            await drive(doors.tokens.acquire(doors.stranger), doors.send)
        except errors.Unauthorised:
            return
        raise AssertionError("wrong credentials did not raise Unauthorised")

    async def test_credentials_without_an_end_are_left_alone(self, doors: LiveTokens) -> None:
        assert doors.fixed is None or not doors.tokens.needed(doors.fixed)

    async def test_asking_for_a_token_shows_no_secret_and_no_id(self, doors: LiveTokens) -> None:
        request = next(doors.tokens.acquire(doors.account))
        assert not request.writes
        assert request.cost >= 0
        for secrets in doors.account.secrets.values():
            assert not any(secret in repr(request) for secret in secrets)

    async def test_a_server_that_fails_or_says_nothing_usable_is_a_matter_of_time(self, doors: LiveTokens) -> None:
        for reply in (response(500), response(503), response(200, b"<html>"), response(200, b"{}")):
            flow = doors.tokens.acquire(doors.account)
            next(flow)
            error = refusal(lambda flow=flow, reply=reply: flow.send(reply))  # type: ignore[misc]
            assert isinstance(error, errors.Retry)


def laid_over(account: Account, token: Token) -> Account:
    """The account as the courier uses it while the token lives."""
    return replace(account, secrets={**account.secrets, **{name: (text,) for name, text in token.secrets.items()}})


# ----------------------------------------------------------------------------------------------- subscriptions


@dataclass(frozen=True)
class LiveSubscriptions:
    """Subscriptions under test, at a service that has none of ours yet. `others`: the account with another address."""

    subscriptions: Subscriptions
    poller: Poller
    account: Account
    send: Send
    others: Account
    unkept: Account


class SubscriptionsContract:
    """What the courier relies on. The subclass gives the fixture `subscribed`."""

    async def test_what_is_subscribed_is_listed(self, subscribed: LiveSubscriptions) -> None:
        live, wanted = subscribed, subscribed.subscriptions.wanted(subscribed.account)
        assert wanted
        assert await drive(live.subscriptions.listed(live.account), live.send) == set()
        for topic in wanted:
            await drive(live.subscriptions.subscribe(live.account, topic), live.send)
        assert await drive(live.subscriptions.listed(live.account), live.send) == set(wanted)

    async def test_a_subscription_that_is_there_already_is_left_as_it_is(self, subscribed: LiveSubscriptions) -> None:
        live = subscribed
        topic = next(iter(live.subscriptions.wanted(live.account)))
        for _ in range(2):
            await drive(live.subscriptions.subscribe(live.account, topic), live.send)
        assert await drive(live.subscriptions.listed(live.account), live.send) == {topic}

    async def test_a_subscription_to_another_address_is_not_ours(self, subscribed: LiveSubscriptions) -> None:
        live = subscribed
        for topic in live.subscriptions.wanted(live.others):
            await drive(live.subscriptions.subscribe(live.others, topic), live.send)
        assert await drive(live.subscriptions.listed(live.account), live.send) == set()

    async def test_every_topic_names_resources_that_are_polled(self, subscribed: LiveSubscriptions) -> None:
        polled = {resource.name for resource in subscribed.poller.resources(subscribed.account)}
        for topic, resources in subscribed.subscriptions.wanted(subscribed.account).items():
            assert set(resources) <= polled, topic

    async def test_an_account_that_keeps_its_own_is_left_alone(self, subscribed: LiveSubscriptions) -> None:
        assert not subscribed.subscriptions.wanted(subscribed.unkept)

    async def test_listing_reads_and_subscribing_writes(self, subscribed: LiveSubscriptions) -> None:
        live = subscribed
        topic = next(iter(live.subscriptions.wanted(live.account)))
        assert not next(live.subscriptions.listed(live.account)).writes
        assert next(live.subscriptions.subscribe(live.account, topic)).writes
