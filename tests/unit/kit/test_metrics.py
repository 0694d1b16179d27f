"""The catalogue and what is exposed of it."""

from __future__ import annotations

import re

import pytest

from connectors.kit import metrics as catalogue
from connectors.kit.metrics import CATALOGUE, Counter, Gauge, Histogram, Metric, Metrics

UNITS = {"total", "seconds", "records", "events", "tasks", "units", "shards", "sources", "ratio"}


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda one: one.name)
def test_every_metric_is_named_by_role_noun_and_unit_and_says_what_to_do(metric: Metric) -> None:
    parts = metric.name.split("_")
    assert parts[0] == "sluice"
    assert parts[1] in {"receiver", "mapper", "resolver", "shard", "courier", "pipeline"}
    assert parts[-1] in UNITS or metric.name.endswith("_units_per_second")
    assert (parts[-1] == "total") == isinstance(metric, Counter)
    assert metric.doc.endswith(".")
    assert metric.remedy.endswith(".")
    assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels)


def test_no_two_metrics_share_a_name() -> None:
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE) >= 20


def test_every_metric_can_be_made_and_is_exposed_with_its_meaning() -> None:
    metrics = Metrics()
    for metric in CATALOGUE:
        labels = ["x"] * len(metric.labels)
        if isinstance(metric, Counter):
            metrics.counter(metric, *labels).inc()
        elif isinstance(metric, Gauge):
            metrics.gauge(metric, *labels).set(1)
        elif isinstance(metric, Histogram):
            metrics.histogram(metric, *labels).observe(0.3)
        assert metrics.value(metric, *labels) == 1
    body, content_type = metrics.page()
    assert content_type.startswith("text/plain")
    assert all(f"# HELP {metric.name}" in body.decode() for metric in CATALOGUE)


def test_two_processes_in_one_interpreter_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.counter(catalogue.RECEIVER_REQUESTS, "shopify", "accepted").inc(3)
    assert one.value(catalogue.RECEIVER_REQUESTS, "shopify", "accepted") == 3
    assert other.value(catalogue.RECEIVER_REQUESTS, "shopify", "accepted") == 0


def test_the_same_labels_give_the_same_child() -> None:
    metrics = Metrics()
    first = metrics.counter(catalogue.MAPPER_RECORDS, "shopify", "mapped")
    assert metrics.counter(catalogue.MAPPER_RECORDS, "shopify", "mapped") is first


def test_wrong_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        Metrics().counter(catalogue.RECEIVER_REQUESTS, "shopify")
