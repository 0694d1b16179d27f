"""Pages that are made from a catalogue say what the catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.topics import PLATFORMS
from streams.runtime import docs
from streams.runtime.config import load


def test_the_pages_in_the_repository_are_current() -> None:
    assert docs.stale(docs.FOLDER) == [], "run `sluice config docs`"


def test_a_changed_page_is_stale_until_it_is_written_again(tmp_path: Path) -> None:
    assert len(docs.write(tmp_path)) == len(docs.PAGES)
    assert docs.write(tmp_path) == []
    (tmp_path / "metrics.md").write_text("old")
    assert [path.name for path in docs.stale(tmp_path)] == ["metrics.md"]


def test_the_example_configuration_on_the_page_works(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", docs.settings_page(), re.DOTALL)
    assert found is not None
    file = tmp_path / "sluice.yaml"
    file.write_text(found[1])
    config = load(file, PLATFORMS, with_secrets=False)
    assert len(config.accounts) == 2
    assert len(config.rules.flows) == 2


@pytest.mark.parametrize("page", sorted(docs.PAGES))
def test_every_row_of_a_table_has_all_its_cells(page: str) -> None:
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in docs.PAGES[page]().splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_the_example_of_the_configuration_page_is_accepted_as_it_stands(tmp_path: Path) -> None:
    page = (docs.FOLDER / "configuration.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    file = tmp_path / "sluice.yaml"
    file.write_text(found[1], encoding="utf-8")
    config = load(file, PLATFORMS, with_secrets=False)
    assert {account for _, account in config.accounts} == {"shop", "presta"}
    assert [flow.name for flow in config.rules.flows] == ["stock", "price"]
