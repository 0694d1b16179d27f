"""`sluice flows plan` over what a real resolver's rows on a real broker say."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main
from streams.stack import Endpoints
from tests.integration.cli.story import Story

pytestmark = pytest.mark.broker

NEW = """\
revision: 1
flows:
  prices: {entity: price, to: [shop, presta], fields: [amount]}
  dear: {entity: price, kind: command, when: {amount.amount: {at_least: 10}}, from: shop, to: presta}
"""


@pytest.fixture
def story(endpoints: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Two shops have said three prices; the online shop was the last of each."""
    one = Story(endpoints, tmp_path, f"flows{uuid.uuid4().hex[:8]}.")
    for name, value in one.environ.items():
        monkeypatch.setenv(name, value)
    one.resolve(
        one.price(0, "presta", "8", 0),
        one.price(1, "shop", "12", 10),
    )
    return one


def plan(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["flows", "plan", *arguments])


def test_flows_as_they_are_send_nothing(story: Story) -> None:
    result = plan()
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "running: revision without; new: revision without")
    assert "no flow differs" in result.output
    assert "nothing would be sent" in result.output


def test_other_flows_are_told_with_what_they_would_send_and_where(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    path.write_text(NEW)
    result = plan("--against", str(path), "--json")
    assert result.exit_code == 1, result.output
    told = json.loads(result.output)
    assert told["tasks"] == [{"flow": "dear", "account": "acme|presta", "what": "command", "tasks": 1, "fallback": ""}]
    assert [one["golden_key"] for one in told["first"]] == ["acme|price|SKU-1~default~EUR"]
    assert list(told["flows"]) == ["dear"]
    assert plan("--against", str(path)).output.splitlines()[0] == "running: revision without; new: revision 1"


def test_a_question_that_cannot_be_asked_ends_with_2(story: Story, tmp_path: Path) -> None:
    assert plan("--against", str(tmp_path / "none.yaml")).exit_code == 2
