"""The answer as a person reads it."""

from __future__ import annotations

from schemas.entities import Op
from streams.runtime.explain.facts import Known, explain
from streams.runtime.explain.render import clock, render
from tests.unit.runtime.explain.known import (
    GROUPS,
    KEY,
    NEW,
    NOW,
    OLD,
    PRESTA,
    SHOP,
    called,
    config,
    decided,
    fought_over,
    held_then,
    row,
    said,
    told,
)


def text_of(known: Known) -> str:
    return render(explain(KEY, known, config(), 10))


def test_everything_that_decided_stands_in_the_text() -> None:
    text = text_of(fought_over())
    for part in (
        "price, version 4: sku SKU-1, amount 12.5 EUR (tax included)",
        "rule     lww: last writer wins, policies of revision 2",
        "because  corrected_time",
        "WINNER  shop (shopify)",
        "loser  presta (prestashop)",
        "source clock    2026-03-01 11:59:56.500000Z (1772366396500000)",
        "corrected time  2026-03-01 11:59:56.500000Z",
        "settled read, sequence 41, mapping revision 3, content 0101010101010101",
        "lost because    its corrected time is 3.5 s before the winner's",
        "asked to hold   the winner's content",
        "event of shop won: winner shop by lww, corrected_time (revision 2), version 4, pushed to presta",
        "; from inbound.v1 partition 2 offset 101",
        "presta (prestashop) to upsert version 4: amount by flow prices, lane normal",
        "push.prestashop.v1 partition 1 offset 1",
        "write_product version 4: success, PUT /api/products/{id} -> 200 in 24 ms, attempt 2",
    ):
        assert part in text
    assert "the file says" not in text


def test_a_rule_that_was_changed_since_is_shown_beside_the_one_that_decided() -> None:
    assert "now      the file says lww, revision 2" in text_of(fought_over(decisions=[decided(1, policy_revision=1)]))


def test_a_decision_of_changed_policies_stands_for_no_event() -> None:
    anew = decided(1, because="policy_revision", event_account="", source_topic="", source_offset=-1)
    text = text_of(fought_over(decisions=[anew]))
    assert "because  policy_revision: the policies were changed" in text
    assert "other policies: winner shop by lww, policy_revision (revision 2), version 4, pushed to presta\n" in text


def test_an_entity_of_one_account_says_that_nothing_had_to_be_decided() -> None:
    text = text_of(Known(row(said(SHOP, NOW, NEW))))
    assert "only one account has spoken of it" in text
    assert "none: decisions are written once a second account speaks" in text
    assert "state is not written (yet)" in text


def test_a_deletion_and_a_call_without_reply_are_said_in_words() -> None:
    text = text_of(Known(row(said(SHOP, NOW, NEW, op=Op.DELETE)), {}, calls=[called(1, status=0, outcome="unknown")]))
    assert "version 4: deleted" in text
    assert "says            it is deleted" in text
    assert "unknown, PUT /api/products/{id} -> no reply" in text


def test_a_clock_that_is_no_time_is_not_shown_as_one() -> None:
    assert clock(42) == "sequence 42"
    assert clock(NOW) == f"2026-03-01 12:00:00.000000Z ({NOW})"


def test_the_winner_of_each_group_of_fields_is_told_before_the_accounts() -> None:
    text = text_of(fought_over(decisions=[decided(1, groups=GROUPS)]))
    assert "    all other fields: shop by lww, corrected_time\n    prices: presta by owner, owner\n" in text
    assert text.index("winner of each group") < text.index("WINNER  shop")
    assert "asked to hold   fields of the golden record" in text
    assert "holds  " not in text
    assert "winner of each group" not in text_of(fought_over())


def test_an_account_that_is_ambiguous_or_does_not_stick_says_so() -> None:
    odd = said(PRESTA, NOW - 5, OLD, ambiguous=True, tries=3)
    text = text_of(Known(row(said(SHOP, NOW, NEW), odd)))
    assert "note            ambiguous: it said two different things" in text
    assert "note            does not stick" in text
    assert "note  " not in text_of(fought_over())


def test_events_say_how_they_came_and_what_was_marked() -> None:
    text = text_of(fought_over(events=[told(3, "presta", NOW, OLD, late=True, unchanged=False)]))
    assert "events, newest last (1)" in text
    assert (
        f"2026-03-01 12:00:00.000007Z  presta by webhook: upsert, late, content {OLD.hex()}, delivery d-3; "
        "events.price.v1 partition 2 offset 3"
    ) in text


def test_a_word_names_the_event_that_said_it_and_its_places() -> None:
    winner = held_then("shop", NOW, NEW)
    decisions = [decided(1, winner=winner, losers=[held_then("presta", NOW - 5, OLD)])]
    heard = {PRESTA: told(3, "presta", NOW - 3_500_000, OLD)}
    text = text_of(fought_over(row=row(said(SHOP, NOW, NEW), said(PRESTA, NOW - 3_500_000, OLD)), said=heard,
                               decisions=decisions, decided={SHOP: decisions[0]}))  # fmt: skip
    assert f"event           {'07' * 16}; inbound.v1 partition 2 offset 101" in text
    assert f"event           {'03' * 16}, webhook delivery d-3; events.price.v1 partition 2 offset 3" in text


def test_an_earlier_moment_says_of_when_it_is_and_what_is_not_known_of_it() -> None:
    then = Known(at=NOW, said={SHOP: told(3, "shop", NOW - 9, NEW)}, events=[told(3, "shop", NOW - 9, NEW)])
    text = text_of(then)
    assert "as of 2026-03-01 12:00:00.000000Z, told from the decisions and events up to then" in text
    assert "price, version not known: sku SKU-1, amount 3 EUR" in text
    gone = Known(at=NOW, decisions=[decided(1, winner=held_then("shop", NOW, NEW), losers=[])])
    assert "its value is not kept any more" in text_of(gone)
