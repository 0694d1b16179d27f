"""Alerts are about metrics that exist, and say what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.kit.metrics import CATALOGUE, Histogram
from tests.deploy.manifests import ROOT, of_kind

EXPOSED = {one.name: set(one.labels) for one in CATALOGUE} | {
    one.name + end: set(one.labels) for one in CATALOGUE if isinstance(one, Histogram) for end in ("_sum", "_count")
}
AGGREGATED = re.compile(r"(?:sum|max|min) by \(([a-z, ]+)\) \((?:rate\()?(sluice_[a-z_]+)(?:\[\w+\]\))?(?: > 0)?\)")


def rules() -> list[dict[str, Any]]:
    """All rules of production."""
    return [
        rule
        for manifest in of_kind("overlays/production", "PrometheusRule")
        for group in manifest["spec"]["groups"]
        for rule in group["rules"]
    ]


def alerts() -> list[Any]:
    return [pytest.param(rule, id=rule["alert"]) for rule in rules() if "alert" in rule]


def test_every_metric_of_a_rule_exists_and_has_the_labels_it_is_joined_by() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        metrics = set(re.findall(r"\bsluice_[a-z_]+", rule["expr"]))
        assert metrics <= EXPOSED.keys(), rule
        assert set(re.findall(r"\bsluice:[a-z_:]+", rule["expr"])) <= recorded, rule
        joined = AGGREGATED.findall(rule["expr"])
        assert {metric for _, metric in joined} == metrics, f"a metric of {rule} is not joined over pods"
        for labels, metric in joined:
            assert set(labels.split(", ")) <= EXPOSED[metric], rule


def test_what_is_recorded_is_recorded_before_it_is_used() -> None:
    known: set[str] = set()
    for rule in rules():
        assert set(re.findall(r"\bsluice:[a-z_:]+", rule["expr"])) <= known, rule
        known |= {rule["record"]} if "record" in rule else set()


def test_a_quota_is_an_alert_from_eighty_percent_on() -> None:
    found = {rule["alert"]: rule["expr"].strip() for rule in rules() if "alert" in rule}
    assert found["SluiceQuotaNearlyUsed"] == "sluice:quota_load:ratio > 0.8"
    assert found["SluiceQuotaWindowNearlyUsed"].endswith("(sluice_courier_quota_used_ratio) > 0.8")


@pytest.mark.parametrize("rule", alerts())
def test_an_alert_says_how_bad_it_is_and_where_its_remedy_stands(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert rule["alert"].lower() == anchor
