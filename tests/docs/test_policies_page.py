"""The page about policies says what the loader accepts and what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from schemas.entities import EntityType
from schemas.topics import PLATFORMS
from streams.cli.policies import group
from streams.core.policy import DeleteRule, OrderingMode, PolicyKind
from streams.runtime import docs
from streams.runtime.config import Config, load

ACCOUNTS = ("pim", "erp", "shop")


@pytest.fixture(scope="module")
def page() -> str:
    return (docs.FOLDER / "policies.md").read_text(encoding="utf-8")


@pytest.fixture
def config(page: str, tmp_path: Path) -> Config:
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    accounts = ", ".join(f"{name}: {{platform: shopify, base_url: 'http://{name}'}}" for name in ACCOUNTS)
    (tmp_path / "sluice.yaml").write_text(f"tenants: {{acme: {{accounts: {{{accounts}}}}}}}\n")
    (tmp_path / "policies.yaml").write_text(found[1], encoding="utf-8")
    return load(tmp_path / "sluice.yaml", PLATFORMS)


def test_the_example_is_accepted_as_it_stands(config: Config) -> None:
    product = config.rules.policy(EntityType.PRODUCT)
    assert config.rules.revision == 3
    assert (product.deletes, product.partial) == (DeleteRule.UNANIMOUS, True)
    assert [group.name for group in product.groups] == ["texts", "labels"]
    assert config.rules.order(EntityType.INVENTORY_LEVEL).of("erp").lateness == 30.0


def test_every_kind_delete_rule_and_mode_is_explained(page: str) -> None:
    for name in (*PolicyKind, *DeleteRule, *OrderingMode):
        assert f"`{name.value}`" in page, name


def test_every_command_on_the_page_exists(page: str) -> None:
    for name, options in re.findall(r"sluice policies (\w+)((?: --?[\w-]+ \S+)*)", page):
        command = group.commands[name]
        known = {option for one in command.params if isinstance(one, click.Option) for option in one.opts}
        assert {word for word in options.split() if word.startswith("--")} <= known
