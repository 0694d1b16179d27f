"""Usage beside what vendors document."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import catalog
from connectors.kit.limits import Kind, Limit
from streams.runtime.quota import markdown, tables
from streams.runtime.quota.audit import Audit, Usage, by_purpose, verdicts
from streams.runtime.quota.calls import Call
from streams.runtime.quota.latencies import Latencies
from tests.unit.runtime.quota.given import GRAPHQL, NOW, call, presta
from tests.unit.runtime.quota.text import shown


def audited(calls: Iterable[Call], since: float = NOW, until: float = NOW + 3600) -> Audit:
    found = Audit(since, until, lambda name: catalog.platform(name).limits)
    for one in calls:
        found.add(one)
    return found


def day() -> Audit:
    """Ten minutes of one set a second, a poll a minute, and one refusal."""
    sets = [call(at, level=900.0 - at, ended=NOW + at + 0.1) for at in range(600)]
    polls = [call(at, purpose="poll", operation="read_products", cost=200.0) for at in range(0, 600, 60)]
    refused = call(5.0, outcome="throttled", cost=0.0)
    return audited([*sets, *polls, refused, presta(1.0)])


def test_operations_have_calls_cost_refusals_latency_peak_and_headroom() -> None:
    bucket = day().buckets["acme|shop"]
    usage = next(usage for key, usage in bucket.operations.items() if key.name == "set_price")
    said = tables.usage_data(bucket, usage)
    assert (said["calls"], said["cost"], said["throttled"], said["failed"]) == (601, 6000.0, 1, 0)
    assert said["peak_per_second"] == pytest.approx(10.0)
    assert said["headroom"] == pytest.approx(0.9)
    assert said["p95_ms"] == pytest.approx(100.0, rel=0.06)


def test_the_bucket_sums_up_its_operations_and_keeps_the_lowest_level() -> None:
    bucket = day().buckets["acme|shop"]
    assert bucket.usage.calls == sum(usage.calls for usage in bucket.operations.values()) == 611
    assert bucket.usage.peak == pytest.approx(10.0 + 200.0 / 60)
    assert bucket.lowest_level == 301.0
    assert by_purpose(bucket) == {"set": 0.75, "poll": 0.25}


def test_the_plan_is_the_one_whose_refill_the_api_reports() -> None:
    found = day()
    (verdict,) = verdicts(found.buckets["acme|shop"], found.limits_of("shopify"))
    assert (verdict.limit.plan, verdict.allowed) == ("Standard", 100.0)
    assert verdict.headroom == pytest.approx(1 - (10.0 + 200.0 / 60) / 100)


def test_without_a_reported_refill_every_plan_is_compared() -> None:
    found = audited([call(restore_rate=None)])
    plans = [one.limit.plan for one in verdicts(found.buckets["acme|shop"], found.limits_of("shopify"))]
    assert plans == ["Standard", "Advanced", "Plus", "Enterprise"]


def test_a_limit_by_the_day_counts_its_busiest_day() -> None:
    limit = Limit("Admin", Kind.WINDOW, 100, "requests", 86_400.0, "shop", "", "", "", endpoints=("/admin/*",))
    days = [presta(at * 3600.0, endpoint="/admin/x") for at in range(48)]
    found = audited(days, until=NOW + 48 * 3600)
    (verdict,) = verdicts(found.buckets["acme|presta"], [limit])
    assert verdict.used == 24.0
    assert verdict.headroom == pytest.approx(0.76)


def test_a_platform_that_documents_nothing_is_compared_with_nothing() -> None:
    found = day()
    assert verdicts(found.buckets["acme|presta"], found.limits_of("prestashop")) == []


def test_headroom_is_told_from_the_lowest_refill_of_the_time() -> None:
    found = audited([call(0.0, cost=600.0), call(1.0, cost=0.0, restore_rate=50.0)])
    bucket = found.buckets["acme|shop"]
    assert bucket.headroom(bucket.usage) == pytest.approx(0.8)


def test_calls_outside_of_the_time_are_left_out() -> None:
    found = audited([call(-0.1), call(0.0), call(3600.0)])
    assert found.buckets["acme|shop"].usage.calls == 1


def test_the_report_names_limit_source_date_usage_and_headroom() -> None:
    text = markdown.report(day())
    assert "From 2026-03-01T12:00:00Z to 2026-03-01T13:00:00Z" in text
    assert "Documented for GraphQL Admin, Standard: 100 points per second" in text
    assert "https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits" in text
    assert "2026-08-27" in text
    assert f"| set_price | POST `{GRAPHQL}` | 601 | 6000 | 1 | 0 |" in text
    assert "- 611 requests of 8000 units; 1 refused (0.16%)" in text


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    rows = [line for line in markdown.report(audited([call(operation="a|b")])).splitlines() if "a\\|b" in line]
    assert len(rows) == 1


def test_table_and_data_say_the_same_as_the_report() -> None:
    found = day()
    text, said = shown(tables.audit(found)), json.loads(json.dumps(tables.audit_data(found)))
    assert "documented: GraphQL Admin, Standard: 13.3 of 100 points per second" in text
    assert [one["bucket"] for one in said["buckets"]] == ["acme|presta", "acme|shop"]
    assert said["buckets"][1]["limits"][0]["allowed"] == 100.0
    assert said["documented"]["prestashop"][0]["kind"] == "none"


@pytest.mark.parametrize("name", catalog.NAMES)
def test_every_platform_documents_its_limits_with_source_and_date_and_covers_what_it_calls(name: str) -> None:
    limits = catalog.platform(name).limits
    assert all(one.source.startswith(("https://", "connectors/")) for one in limits)  # the warehouse is our own
    assert all(len(one.as_of) in (7, 10) and one.as_of[:4].isdecimal() for one in limits)
    endpoint = {"shopify": GRAPHQL, "prestashop": "/api/products/{id}"}.get(name)
    assert endpoint is None or any(one.covers(endpoint) for one in limits)


# ------------------------------------------------------------------------------------------------ latencies


@given(times=st.lists(st.floats(0.0002, 60), min_size=1), share=st.floats(0.01, 1.0))
def test_a_quantile_is_at_most_five_percent_above_the_true_one(times: list[float], share: float) -> None:
    found = Latencies()
    for one in times:
        found.add(one)
    true = sorted(times)[max(0, -(-len(times) * share // 1).__int__() - 1)]
    assert true * 0.999 <= found.quantile(share) <= true * 1.0501


def test_no_times_have_no_quantile() -> None:
    assert Latencies().quantile(0.95) == 0.0
    assert Usage().peak == 0.0
