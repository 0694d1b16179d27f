"""What `sluice polls` says without a broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.polls import polls

CONFIG = """
tenants:
  acme:
    accounts:
      shop:
        platform: shopify
        base_url: https://acme.myshopify.com
        settings: {shop_domain: acme.myshopify.com, currency: EUR, locations: "1=BER", poll_interval: "30"}
        secrets: {webhook: ["env:NOT_SET"], access_token: ["env:NOT_SET"]}
"""


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sluice.yaml"
    file.write_text(CONFIG)
    monkeypatch.setenv("SLUICE_CONFIG_FILE", str(file))


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(polls, arguments)
    return result.exit_code, result.output


def test_what_is_polled_is_listed_with_its_intervals() -> None:
    code, output = said("list", "acme|shop")
    assert code == 0
    lines = [line.split() for line in output.splitlines()]
    assert lines[0] == ["inventory", "every", "30", "to", "120", "s"]
    assert lines[-1] == ["skus", "every", "21600", "s,", "whole"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["acme|hats"], "known: acme|shop"), (["acme|shop", "hats"], "known: inventory, orders, products, skus")],
)
def test_what_cannot_be_asked_for_is_refused_with_what_can(arguments: list[str], expected: str) -> None:
    code, output = said("now", *arguments)
    assert code == 1
    assert expected in output
