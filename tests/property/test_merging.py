"""Field groups, partial events and deletes through the whole resolver: whatever the order, one golden record."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.entities import Completeness, EntityType
from streams.core.policy import DeleteRule, FieldGroup, Flow, Policy, PolicyKind, Rules
from streams.resolver.processor import Resolver
from streams.resolver.routes import Member
from streams.testing.topology import TopologyTestDriver

ACCOUNTS = ("pim", "erp", "shop")
MEMBERS = [Member("acme", name, "shopify", priority) for priority, name in enumerate(ACCOUNTS)]
KIND, ID, KEY = EntityType.PRODUCT, "P1", "acme|product|P1"
START = 1_772_366_400_000_000
GROUPS = (
    FieldGroup("texts", ("title", "description_html"), PolicyKind.OWNER, ("pim", "shop")),
    FieldGroup("labels", ("tags",), PolicyKind.LWW),
)


def policy(deletes: DeleteRule = DeleteRule.WINNER, kind: PolicyKind = PolicyKind.LWW) -> Policy:
    return Policy(kind, ("erp",) if kind is PolicyKind.OWNER else (), deletes, GROUPS, partial=True)


@dataclass(frozen=True)
class Word:
    """What one account says: of which fields, None for a delete. `at`: seconds."""

    account: str
    at: int
    fields: tuple[str, ...] | None

    def values(self) -> dict[str, Any] | None:
        if self.fields is None:
            return None
        text = f"{self.account}-{self.at}"
        everything: dict[str, Any] = {
            "title": text, "description_html": text, "status": "ACTIVE", "tags": [text], "vendor": text,
        }  # fmt: skip
        return {name: everything[name] for name in self.fields}


FULL = ("title", "description_html", "status", "tags", "vendor")
words = st.lists(
    st.builds(
        Word,
        st.sampled_from(ACCOUNTS),
        st.integers(1, 30),
        st.sampled_from([FULL, FULL, ("title",), ("tags", "vendor"), ("description_html", "title"), None]),
    ),
    unique_by=lambda word: (word.account, word.at),
    max_size=7,
)


def driver(rule: Policy, flows: tuple[Flow, ...] = ()) -> TopologyTestDriver:
    return TopologyTestDriver.of(Rules(policies={KIND: rule}, flows=flows), MEMBERS, START)


def speak(to: TopologyTestDriver, word: Word) -> None:
    partial = word.fields is not None and set(word.fields) != set(FULL)
    to.say(
        word.account, KIND, ID, word.values(), source_time=START + word.at * 1_000_000,
        completeness=Completeness.PARTIAL if partial else Completeness.FULL,
        delivery=f"{word.account}-{word.at}",
    )  # fmt: skip


def outcome(rule: Policy, said: Sequence[Word], crashes: bool = False) -> dict[str, Any] | None:
    """The golden record's fields after all that was said."""
    run = driver(rule)
    for number, word in enumerate(said):
        speak(run, word)
        if crashes and number % 2:
            run.crash()
        if number % 3 == 0:
            run.commit()
    run.commit()
    found = run.state(KIND).get(KEY)
    return None if found is None else {name: found[name] for name in FULL}


def newest(said: Sequence[Word], account: str, field: str) -> Word | None:
    """The last word of an account on a field, if it has the record and has said the field."""
    whole = [w for w in said if w.account == account and (w.fields is None or set(w.fields) == set(FULL))]
    last = max(whole, key=lambda w: w.at, default=None)
    after = [w for w in said if w.account == account and w.fields and field in w.fields]
    if last is not None and last.fields is None:
        return None
    return max(after, key=lambda w: w.at, default=None)


rules = pytest.mark.parametrize(
    "rule",
    [policy(), policy(DeleteRule.UNANIMOUS), policy(DeleteRule.ANY), policy(kind=PolicyKind.OWNER)],
    ids=["winner", "unanimous", "any", "owner"],
)


@rules
@settings(max_examples=40)
@given(said=words, seed=st.integers(0, 1 << 16))
def test_any_order_and_any_repetition_and_crashes_give_the_same_record(
    rule: Policy, said: list[Word], seed: int
) -> None:
    again = [*said, *said[:3]]
    random.Random(seed).shuffle(again)
    assert outcome(rule, again, crashes=True) == outcome(rule, sorted(said, key=lambda word: word.at))


@settings(max_examples=60)
@given(said=words)
def test_texts_are_the_first_owners_that_has_said_them_and_labels_the_last_ones(said: list[Word]) -> None:
    found = outcome(policy(DeleteRule.UNANIMOUS), said)
    if found is None:
        return
    titles = {account: newest(said, account, "title") for account in ACCOUNTS}
    both = {a: w for a, w in titles.items() if w is not None and newest(said, a, "description_html") is not None}
    owner = next((account for account in ("pim", "shop") if account in both), "erp")
    assert found["title"] == f"{owner}-{both[owner].at}"
    tags = [word for account in ACCOUNTS if (word := newest(said, account, "tags")) is not None]
    last = max(tags, key=lambda word: (word.at, -ACCOUNTS.index(word.account)))
    assert found["tags"] == [f"{last.account}-{last.at}"]


class Slow(TopologyTestDriver):
    """Without the short way."""

    def _make_resolver(self) -> Resolver:
        made = super()._make_resolver()
        made._simple = made._all_simple = {}
        return made


class Same(Word):
    """Says what its account always says."""

    def values(self) -> dict[str, Any] | None:
        return Word(self.account, 0, self.fields).values()


of_one_account = st.builds(
    lambda kind, at, fields: kind("shop", at, fields),
    st.sampled_from([Word, Same]),
    st.integers(1, 9),
    st.sampled_from([FULL, FULL, FULL, ("title",), None]),
)


@rules
@settings(max_examples=60)
@given(said=st.lists(of_one_account, max_size=8))
def test_the_short_way_writes_the_same_bytes_as_the_long_one(rule: Policy, said: list[Word]) -> None:
    policies = Rules(policies={KIND: rule})
    fast, slow = TopologyTestDriver.of(policies, MEMBERS, START), Slow.of(policies, MEMBERS, START)
    for run in (fast, slow):
        for word in said:
            speak(run, word)
        run.commit()
    assert fast.rows() == slow.rows()
    assert fast.records(topics.state(KIND)) == slow.records(topics.state(KIND))
    assert fast.decisions() == slow.decisions()


def test_a_partial_event_changes_only_the_fields_it_carries() -> None:
    run = driver(policy())
    speak(run, Word("shop", 1, FULL))
    speak(run, Word("shop", 5, ("tags", "vendor")))
    speak(run, Word("shop", 3, ("title",)))
    run.commit()
    found = run.state(KIND)[KEY]
    assert (found["title"], found["tags"], found["description_html"]) == ("shop-3", ["shop-5"], "shop-1")


def test_an_entity_of_which_nobody_has_said_all_is_no_state_yet() -> None:
    run = driver(policy())
    speak(run, Word("shop", 1, ("title",)))
    run.commit()
    assert run.state(KIND) == {}
    speak(run, Word("shop", 0, FULL))
    run.commit()
    assert run.state(KIND)[KEY]["title"] == "shop-1"


def test_a_partial_event_of_a_type_that_takes_whole_records_is_a_dead_letter_that_says_what_to_do() -> None:
    run = TopologyTestDriver.of(Rules(policies={KIND: Policy(PolicyKind.LWW)}), MEMBERS, START)
    speak(run, Word("shop", 1, ("title",)))
    run.commit()
    (letter,) = run.dead_letters()
    assert (letter["reason"], "partial: true" in letter["detail"]) == ("partial", True)


def test_a_decision_names_the_winner_of_every_field_group() -> None:
    run = driver(policy())
    speak(run, Word("shop", 1, FULL))
    speak(run, Word("pim", 0, FULL))
    run.commit()
    groups = {one["group"]: (one["account"], one["rule"]) for one in run.decisions()[-1]["groups"]}
    assert groups == {"*": ("shop", "lww"), "texts": ("pim", "owner"), "labels": ("shop", "lww")}


@pytest.mark.parametrize(
    ("deletes", "left"), [(DeleteRule.WINNER, False), (DeleteRule.UNANIMOUS, True), (DeleteRule.ANY, False)]
)
def test_who_must_delete_an_entity_is_the_policys_to_say(deletes: DeleteRule, left: bool) -> None:
    for groups in (GROUPS, ()):
        run = driver(Policy(PolicyKind.LWW, (), deletes, groups))
        speak(run, Word("erp", 1, FULL))
        speak(run, Word("shop", 2, FULL))
        speak(run, Word("shop", 3, None))
        run.commit()
        assert (KEY in run.state(KIND)) == left
        if left:
            assert run.state(KIND)[KEY]["vendor"] == "erp-1"


def test_a_deleted_entity_is_back_when_who_decides_has_it_back() -> None:
    run = driver(policy(DeleteRule.ANY))
    speak(run, Word("erp", 5, FULL))
    speak(run, Word("shop", 2, None))
    run.commit()
    assert run.state(KIND) == {}
    speak(run, Word("shop", 3, FULL))
    run.commit()
    assert run.state(KIND)[KEY]["vendor"] == "erp-5"


def test_flows_of_a_merged_record_ask_those_who_hold_other_fields_and_only_them() -> None:
    run = driver(policy(), (Flow("tags", KIND, ("shop", "erp"), ("tags",)),))
    for account, at in (("pim", 1), ("shop", 1), ("erp", 1)):
        speak(run, Word(account, at, FULL))
    speak(run, Word("pim", 9, ("tags", "vendor")))
    run.commit()
    for account in ("shop", "erp"):
        assert run.pushes(account)[-1]["record"]["tags"] == ["pim-9"]
    before = [len(run.pushes(account)) for account in ("shop", "erp")]
    echo = {**(Word("shop", 1, FULL).values() or {}), "tags": ["pim-9"]}
    run.say("shop", KIND, ID, echo, source_time=START + 20_000_000)
    run.commit()
    assert [len(run.pushes(account)) for account in ("shop", "erp")] == before
    assert run.state(KIND)[KEY]["tags"] == ["pim-9"]
