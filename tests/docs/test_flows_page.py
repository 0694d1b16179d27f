"""The page about flows says what the loader accepts and what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from connectors import catalog
from schemas.entities import EntityType, Lane
from schemas.topics import PLATFORMS
from streams.cli.flows import group
from streams.core.condition import Operator
from streams.core.policy import OnDelete, OnDrift, TaskKind
from streams.runtime import docs
from streams.runtime.config import Config, load

ACCOUNTS = {"erp": "prestashop", "shop": "shopify", "presta": "prestashop", "warehouse": "threepl"}


@pytest.fixture(scope="module")
def page() -> str:
    return (docs.FOLDER / "flows.md").read_text(encoding="utf-8")


@pytest.fixture
def config(page: str, tmp_path: Path) -> Config:
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    accounts = ", ".join(f"{name}: {{platform: {of}, base_url: 'http://{name}'}}" for name, of in ACCOUNTS.items())
    (tmp_path / "sluice.yaml").write_text(f"tenants: {{acme: {{accounts: {{{accounts}}}}}}}\n")
    (tmp_path / "flows.yaml").write_text(found[1], encoding="utf-8")
    return load(tmp_path / "sluice.yaml", PLATFORMS, catalog.supports)


def test_the_example_is_accepted_as_it_stands(config: Config) -> None:
    stock, prices, orders, shipments = config.rules.flows
    assert config.rules.flows_revision == 4
    assert (stock.source, stock.guard is not None, prices.tax is not None) == (("erp",), True, True)
    assert (orders.entity, orders.kind, orders.max_age) == (EntityType.ORDER, TaskKind.COMMAND, 604800.0)
    assert (shipments.to_origin, shipments.source) == (True, ("warehouse",))


def test_every_key_and_word_is_explained(page: str, config: Config) -> None:
    for name in (*TaskKind, *OnDelete, *OnDrift, *Lane):
        assert f"`{name.value}`" in page, name
    for operator in Operator:
        assert f"{{{operator.value}:" in page, operator
    for key in (
        "when",
        "from",
        "to",
        "fields",
        "lane",
        "max_age",
        "hours",
        "fallback",
        "deletes",
        "on_drift",
        "guard",
        "tax",
    ):
        assert f"| `{key}` |" in page, key


def test_every_command_on_the_page_exists(page: str) -> None:
    found = re.findall(r"sluice flows (\w+)((?: --?[\w-]+ \S+)*)", page)
    assert {name for name, _ in found} == set(group.commands)
    for name, options in found:
        known = {one for param in group.commands[name].params if isinstance(param, click.Option) for one in param.opts}
        assert {word for word in options.split() if word.startswith("--")} <= known
