"""Policies that change: what old ones have folded and is folded anew is what the new ones make of all that was said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.errors import Misconfigured
from schemas import topics
from schemas.entities import Completeness, EntityType
from streams.core import policyrow
from streams.core.entity import Entity
from streams.core.policy import DeleteRule, FieldGroup, Flow, Policy, PolicyKind, Rules
from streams.resolver import refolding
from streams.resolver.routes import Member
from streams.runtime.state import replayable
from streams.testing.topology import TopologyTestDriver

ACCOUNTS = ("pim", "erp", "shop")
MEMBERS = [Member("acme", name, "shopify", priority) for priority, name in enumerate(ACCOUNTS)]
KIND = EntityType.PRODUCT
IDS = ("P1", "P10", "P2")  # one begins with another
START = 1_772_366_400_000_000
FULL = ("title", "description_html", "status", "tags", "vendor")
TEXTS = FieldGroup("texts", ("title", "description_html"), PolicyKind.OWNER, ("pim", "shop"))
LABELS = FieldGroup("labels", ("tags",), PolicyKind.LWW)
POLICIES = {
    "lww": Policy(PolicyKind.LWW),
    "owner": Policy(PolicyKind.OWNER, ("erp", "shop")),
    "unanimous": Policy(PolicyKind.LWW, (), DeleteRule.UNANIMOUS),
    "groups": Policy(PolicyKind.LWW, (), DeleteRule.WINNER, (TEXTS, LABELS)),
    "partial": Policy(PolicyKind.OWNER, ("shop",), DeleteRule.ANY, (), partial=True),
    "other groups": Policy(PolicyKind.OWNER, ("erp",), DeleteRule.UNANIMOUS, (LABELS,), partial=True),
}
NOTHING_KEPT = {"single": Policy(PolicyKind.SINGLE)}  # no other account's value is ever needed


@dataclass(frozen=True)
class Word:
    """What one account says, of which fields, None for a delete. `at`: seconds. Then ticks pass, a commit or a crash
    may follow."""

    id: str
    account: str
    at: int
    fields: tuple[str, ...] | None
    ticks: int = 0
    commits: bool = False
    crashes: bool = False

    @property
    def whole(self) -> bool:
        return self.fields is None or self.fields == FULL


words = st.lists(
    st.builds(
        Word,
        id=st.sampled_from(IDS),
        account=st.sampled_from(ACCOUNTS),
        at=st.integers(1, 30),
        fields=st.sampled_from([FULL, FULL, FULL, ("title",), ("tags", "vendor"), None]),
        ticks=st.integers(0, 3),
        commits=st.booleans(),
        crashes=st.sampled_from([False, False, True]),
    ),
    unique_by=lambda word: (word.id, word.account, word.at),
    max_size=14,
)


@pytest.fixture(autouse=True, scope="module")
def one_entity_at_a_time() -> Iterator[None]:
    """So that events and crashes come in the middle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refolding, "AT_ONCE", 1)
        yield


def by(policy: Policy, revision: int = 1, *flows: Flow) -> Rules:
    return Rules(revision, {KIND: policy}, flows=flows)


def speak(run: TopologyTestDriver, word: Word) -> None:
    text = f"{word.account}-{word.at}"
    everything: dict[str, Any] = {
        "title": text, "description_html": text, "status": "ACTIVE", "tags": [text], "vendor": text,
    }  # fmt: skip
    run.say(
        word.account, KIND, word.id, None if word.fields is None else {name: everything[name] for name in word.fields},
        source_time=START + word.at * 1_000_000, delivery=f"{word.id}-{text}",
        completeness=Completeness.FULL if word.whole else Completeness.PARTIAL,
    )  # fmt: skip


def live(run: TopologyTestDriver, said: Sequence[Word], *, calm: bool = False) -> None:
    """`calm`: nothing is committed or lost on the way."""
    for word in said:
        speak(run, word)
        for _ in range(word.ticks):
            run.advance(0.1)
        if calm:
            continue
        if word.commits:
            run.commit()
        if word.crashes:
            run.crash()


def finish(run: TopologyTestDriver) -> TopologyTestDriver:
    for _ in range(len(IDS) + 1):
        run.advance(1)
    run.commit()
    return run


def kept(run: TopologyTestDriver) -> dict[bytes, bytes]:
    """Who said what, and the values of it."""
    rows = run.rows()
    return replayable(rows.items()) | {key: row for key, row in rows.items() if key[:1] == b"V"}


def shown(run: TopologyTestDriver) -> dict[str, dict[str, Any]]:
    return {key: {name: record[name] for name in FULL} for key, record in run.state(KIND).items()}


@pytest.mark.parametrize("new", [*POLICIES, *NOTHING_KEPT])
@pytest.mark.parametrize("old", POLICIES)
@settings(max_examples=20)
@given(said=words, turn=st.integers(0, 14))
def test_a_fold_by_old_policies_folded_anew_is_the_fold_by_the_new_ones(
    old: str, new: str, said: list[Word], turn: int
) -> None:
    before, after = POLICIES[old], (POLICIES | NOTHING_KEPT)[new]
    first = [word for word in said[:turn] if word.whole or before.merges]  # else they are dead letters by the old ones
    run = TopologyTestDriver.of(by(before), MEMBERS, START)
    live(run, first)
    run.restart(by(after, 2))
    live(run, said[turn:])
    straight = TopologyTestDriver.of(by(after), MEMBERS, START)
    live(straight, [*first, *said[turn:]], calm=True)
    finish(run)
    finish(straight)
    assert kept(run) == kept(straight)
    assert shown(run) == shown(straight)


@settings(max_examples=40)
@given(said=words, turn=st.integers(0, 14))
def test_groups_come_and_go_and_nothing_is_forgotten(said: list[Word], turn: int) -> None:
    """Plain, put together, plain again."""
    first, then = [word for word in said[:turn] if word.whole], said[turn:]
    run = TopologyTestDriver.of(by(POLICIES["lww"]), MEMBERS, START)
    live(run, first)
    run.restart(by(POLICIES["groups"], 2))
    live(run, then)
    run.restart(by(POLICIES["lww"], 3))
    finish(run)
    straight = TopologyTestDriver.of(by(POLICIES["lww"]), MEMBERS, START)
    live(straight, [*first, *then], calm=True)
    finish(straight)
    assert kept(run) == kept(straight)
    assert shown(run) == shown(straight)


@settings(max_examples=40)
@given(said=words, crashes=st.lists(st.booleans(), min_size=4, max_size=4))
def test_what_is_folded_anew_is_told_once_however_often_it_is_begun(said: list[Word], crashes: list[bool]) -> None:
    flow = Flow("titles", KIND, ACCOUNTS, ("title",))
    run = TopologyTestDriver.of(by(POLICIES["lww"], 1, flow), MEMBERS, START)
    whole = [word for word in said if word.whole]
    for word in whole:
        speak(run, word)
    finish(run)
    outputs = (topics.state(KIND), topics.DECISIONS, topics.push("shopify"))
    told = {name: len(run.read(name)) for name in outputs}
    run.restart(by(POLICIES["owner"], 2, flow))
    for crash in crashes:
        if crash:
            run.crash()
        else:
            run.advance(0.1)
            run.commit()
    finish(run)
    once = {name: run.read(name)[told[name] :] for name in outputs}
    for found in once.values():
        assert len({one["key"] for one in found}) == len(found)
    decided = {one["key"]: one["value"] for one in once[topics.DECISIONS]}
    assert {one["because"] for one in decided.values()} <= {"policy_revision"}
    assert {one["key"] for one in once[topics.state(KIND)]} == set(decided)
    run.restart()
    finish(run)
    assert {name: len(run.read(name)) - told[name] for name in outputs} == {name: len(f) for name, f in once.items()}


def driver(policy: Policy) -> TopologyTestDriver:
    run = TopologyTestDriver.of(by(policy, 5), MEMBERS, START)
    speak(run, Word("P1", "shop", 2, FULL))
    speak(run, Word("P1", "erp", 1, FULL))
    return finish(run)


def test_the_next_event_of_an_entity_comes_after_its_refold() -> None:
    run = driver(POLICIES["lww"])
    speak(run, Word("P2", "shop", 2, FULL))
    speak(run, Word("P2", "erp", 1, FULL))
    run.restart(by(POLICIES["owner"], 6))
    speak(run, Word("P2", "shop", 3, FULL))
    run.commit()
    decided = [one for one in run.decisions() if one["golden_key"] == "acme|product|P2"]
    assert [one["because"] for one in decided[-2:]] == ["policy_revision", "owner"]
    assert run.state(KIND)["acme|product|P2"]["vendor"] == "erp-1"


def test_a_decision_of_a_refold_says_so_and_stands_for_no_event() -> None:
    run = driver(POLICIES["lww"])
    run.restart(by(POLICIES["owner"], 6))
    run.commit()
    told = run.decisions()[-1]
    assert (told["because"], told["rule"], told["policy_revision"], told["outcome"]) == (
        "policy_revision", "owner", 6, "won",
    )  # fmt: skip
    assert (told["winner"]["account"], told["event_account"], told["source_topic"], told["source_offset"]) == (
        "erp", "", "", -1,
    )  # fmt: skip


def test_a_lower_revision_is_refused_and_says_what_to_do() -> None:
    run = driver(POLICIES["lww"])
    with pytest.raises(Misconfigured, match=r"revision 5, and this configuration has revision 4.*`revision: 6`.*diff"):
        run.restart(by(POLICIES["lww"], 4))


def test_other_policies_under_the_same_revision_are_refused_and_say_which_types_differ() -> None:
    run = driver(POLICIES["lww"])
    with pytest.raises(Misconfigured, match=r"other policies of product under the same revision 5.*`revision: 6`"):
        run.restart(by(POLICIES["owner"], 5))


def test_a_higher_revision_of_the_same_policies_says_nothing_and_is_remembered() -> None:
    run = driver(POLICIES["groups"])
    before = {topic: len(run.read(topic)) for topic in (topics.DECISIONS, topics.state(KIND))}
    turned = FieldGroup(TEXTS.name, TEXTS.fields[::-1], TEXTS.kind, TEXTS.owners)
    run.restart(by(Policy(PolicyKind.LWW, (), DeleteRule.WINNER, (LABELS, turned)), 6))
    finish(run)
    assert {topic: len(run.read(topic)) for topic in before} == before
    assert policyrow.unpack(run.rows()[policyrow.KEY]).revision == 6


def test_an_entity_whose_winner_was_not_kept_stays_until_an_account_speaks() -> None:
    """A fold by `single` keeps no values: what the others said cannot be taken back."""
    run = TopologyTestDriver.of(by(Policy(PolicyKind.SINGLE), 1), MEMBERS, START)
    speak(run, Word("P1", "erp", 1, FULL))
    speak(run, Word("P1", "pim", 2, FULL))
    assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "pim-2"
    for revision, name in ((2, "groups"), (3, "owner")):
        run.restart(by(POLICIES[name], revision))
        assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "pim-2", name
    speak(run, Word("P1", "erp", 3, FULL))
    assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "erp-3"


def test_who_loses_to_an_account_whose_value_was_not_kept_does_not_delete_the_entity() -> None:
    run = TopologyTestDriver.of(by(Policy(PolicyKind.SINGLE), 1), MEMBERS, START)
    speak(run, Word("P1", "erp", 1, FULL))
    speak(run, Word("P1", "pim", 2, FULL))
    finish(run)
    run.restart(by(POLICIES["owner"], 2))
    speak(run, Word("P1", "pim", 3, FULL))
    assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "pim-2"


def test_the_new_winners_record_is_told_even_where_it_says_the_same() -> None:
    """What is compared between platforms is not all that a record says."""
    run = TopologyTestDriver.of(by(POLICIES["lww"], 1), MEMBERS, START)
    for at, account in enumerate(("erp", "shop")):
        fields = {"title": "T", "status": "ACTIVE", "vendor": account}
        run.say(account, KIND, "P1", fields, source_time=START + at, comparable=("T",))
    assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "shop"
    run.restart(by(POLICIES["owner"], 2))
    assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "erp"
    assert run.decisions()[-1]["outcome"] == "unchanged"


def test_parts_of_a_record_that_was_not_kept_are_dead_letters_and_older_records_change_nothing() -> None:
    run = TopologyTestDriver.of(by(Policy(PolicyKind.SINGLE), 1), MEMBERS, START)
    speak(run, Word("P1", "shop", 5, FULL))
    run.restart(by(POLICIES["groups"], 2))
    finish(run)
    speak(run, Word("P1", "shop", 6, ("title",)))
    speak(run, Word("P1", "shop", 4, FULL))
    finish(run)
    assert [letter["reason"] for letter in run.dead_letters()] == ["partial"]
    assert shown(run)["acme|product|P1"]["title"] == "shop-5"
    speak(run, Word("P1", "shop", 5, FULL))
    speak(run, Word("P1", "shop", 7, ("title",)))
    finish(run)
    found = shown(run)["acme|product|P1"]
    assert (found["title"], found["vendor"]) == ("shop-7", "shop-5")


def test_what_only_parts_were_said_of_is_nothing_where_whole_records_are_asked_for() -> None:
    run = TopologyTestDriver.of(by(POLICIES["partial"], 1), MEMBERS, START)
    speak(run, Word("P1", "shop", 1, ("title",)))
    finish(run)
    run.restart(by(POLICIES["lww"], 2))
    finish(run)
    assert kept(run) == {}
    speak(run, Word("P1", "shop", 0, FULL))
    assert finish(run).state(KIND)["acme|product|P1"]["title"] == "shop-0"


def test_an_entity_that_the_new_policies_delete_is_gone_and_comes_back_with_the_old_ones() -> None:
    run = driver(POLICIES["unanimous"])
    speak(run, Word("P1", "shop", 3, None))
    assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "erp-1"
    assert not [key for key in run.rows() if key[:1] == b"G"]
    run.restart(by(POLICIES["lww"], 6))
    assert finish(run).state(KIND) == {}
    assert [key for key in run.rows() if key[:1] == b"G"], "its grave is forgotten in time"
    run.restart(by(POLICIES["unanimous"], 7))
    assert finish(run).state(KIND)["acme|product|P1"]["vendor"] == "erp-1"


def row(run: TopologyTestDriver) -> Entity:
    return next(Entity.unpack(value) for key, value in run.rows().items() if key[:1] == b"E")


def test_another_form_of_the_same_content_tells_nobody_anything() -> None:
    """The first account wins everything, whether records are taken whole or put together."""
    flow = Flow("titles", KIND, ("shop",), ("title",))
    run = TopologyTestDriver.of(by(POLICIES["lww"], 1, flow), MEMBERS, START)
    for account, at in (("shop", 1), ("pim", 2)):
        speak(run, Word("P1", account, at, FULL))
    finish(run)
    assert [c.account for c in row(run).contributions if c.asked] == [MEMBERS[2].hash]
    outputs = (topics.state(KIND), topics.DECISIONS, topics.push("shopify"))
    before, version = {name: len(run.read(name)) for name in outputs}, row(run).golden_version
    for revision, name in ((2, "groups"), (3, "lww")):
        run.restart(by(POLICIES[name], revision, flow))
        finish(run)
        assert {topic: len(run.read(topic)) for topic in outputs} == before, name
        assert row(run).golden_version == version, name
        assert [(one.asked, one.tries) for one in row(run).contributions] == [((), 0)] * 2, (
            "what was asked for is measured in another way now"
        )
        speak(run, Word("P1", "shop", 20 + revision, None))
        speak(run, Word("P1", "pim", 30 + revision, FULL))
        speak(run, Word("P1", "shop", 21 + revision, FULL))
        finish(run)
        before, version = {name: len(run.read(name)) for name in outputs}, row(run).golden_version
        assert any(one.asked for one in row(run).contributions)


def test_accounts_are_asked_to_hold_the_new_winner() -> None:
    flow = Flow("titles", KIND, ("shop", "erp"), ("title",))
    run = TopologyTestDriver.of(by(POLICIES["lww"], 1, flow), MEMBERS, START)
    for account, at in (("pim", 1), ("erp", 2), ("shop", 3)):
        speak(run, Word("P1", account, at, FULL))
    finish(run)
    before = {account: len(run.pushes(account)) for account in ("shop", "erp")}
    run.restart(by(Policy(PolicyKind.OWNER, ("pim",)), 2, flow))
    finish(run)
    for account, count in before.items():
        (task,) = run.pushes(account)[count:]
        assert task["record"]["title"] == "pim-1"
    assert {c.account for c in row(run).contributions if c.asked} >= {m.hash for m in MEMBERS if m.account in before}
