"""The answer as a person reads it."""

from __future__ import annotations

from schemas.entities import Op
from streams.runtime.explain.facts import Known, explain
from streams.runtime.explain.render import clock, render
from tests.unit.runtime.explain.known import KEY, NEW, NOW, SHOP, called, config, decided, fought_over, row, said


def told(known: Known) -> str:
    return render(explain(KEY, known, config(), 10))


def test_everything_that_decided_stands_in_the_text() -> None:
    text = told(fought_over())
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
    assert "now      the file says lww, revision 2" in told(fought_over(decisions=[decided(1, policy_revision=1)]))


def test_an_entity_of_one_account_says_that_nothing_had_to_be_decided() -> None:
    text = told(Known(row(said(SHOP, NOW, NEW))))
    assert "only one account has spoken of it" in text
    assert "none: decisions are written once a second account speaks" in text
    assert "state is not written (yet)" in text


def test_a_deletion_and_a_call_without_reply_are_said_in_words() -> None:
    text = told(Known(row(said(SHOP, NOW, NEW, op=Op.DELETE)), {}, calls=[called(1, status=0, outcome="unknown")]))
    assert "version 4: deleted" in text
    assert "says            it is deleted" in text
    assert "unknown, PUT /api/products/{id} -> no reply" in text


def test_a_clock_that_is_no_time_is_not_shown_as_one() -> None:
    assert clock(42) == "sequence 42"
    assert clock(NOW) == f"2026-03-01 12:00:00.000000Z ({NOW})"
