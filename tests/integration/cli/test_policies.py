"""One installation changes its policies: foretold, done by a real resolver, and refused when it must not be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas import topics
from streams.cli.main import main
from streams.core import policyrow
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from tests.integration.cli.story import FILE
from tests.integration.cli.test_state import SKUS, Installed
from tests.integration.support import until

pytestmark = pytest.mark.broker

LWW = "{kind: lww}"
SHOP_OWNS = "{kind: owner, owners: [shop]}"
MOVED = (
    2 * SKUS // 3
)  # in a third of the entities both shops spoke in the same moment, and the first one's priority won


class Changing(Installed):
    """An installation whose policies stand in a file of their own."""

    def policies(self, revision: int, price: str, name: str = "policies.yaml") -> str:
        path = self.folder / name
        path.write_text(f"revision: {revision}\nprice: {price}\n")
        self.file.write_text("\n".join(line for line in FILE.splitlines() if not line.startswith("policies:")))
        return str(path)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "streams.cli.main", "run", "resolver"],
            env={**os.environ, **self.environ, "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def fold_anew(self) -> None:
        """Run a resolver until every shard stands by the policies of the file."""
        running = self.start()
        try:
            with closing(self.reader()) as reader:
                until(lambda: self.settled(reader), "all shards stand by the new policies")
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0
        finally:
            running.kill()
            running.communicate()

    def refused(self) -> str:
        """What a resolver says that must not start."""
        running = self.start()
        try:
            told, _ = running.communicate(timeout=60)
        finally:
            running.kill()
        assert running.returncode == 1, told
        return told

    def settled(self, reader: TopicReader) -> bool:
        rows = {one.partition: one.value for one in reader.read(topics.RESOLVE_CHANGELOG) if one.key == policyrow.KEY}
        newest = [policyrow.unpack(row) for row in rows.values()]
        return all(one.revision == self.revision and not one.unsettled for one in newest)

    @property
    def revision(self) -> int:
        return int((self.folder / "policies.yaml").read_text().split()[1])

    def reader(self) -> TopicReader:
        return TopicReader({"bootstrap.servers": self.where.bootstrap}, self.prefix)

    def read(self, topic: str) -> list[dict[str, Any]]:
        with closing(self.reader()) as reader:
            return [self.codec.decode(one.value) for one in reader.read(topic) if one.value]


@pytest.fixture(scope="module")
def changing(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    made = Changing(endpoints, tmp_path_factory.mktemp("policies"), f"t{uuid.uuid4().hex[:8]}.")
    for sku in range(SKUS):
        made.tell("shop", sku, 10, 0)
        made.tell("presta", sku, 11, sku % 3)
    made.work()
    yield made
    made.remove()


def run(changing: Changing, *arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env=changing.environ)


def test_policies_are_changed_as_foretold_and_wrong_ones_are_refused(changing: Changing) -> None:
    same = run(changing, "policies", "diff")
    assert (same.exit_code, "no rule differs" in same.output) == (0, True), same.output

    new = changing.policies(8, SHOP_OWNS, "new.yaml")
    digest = run(changing, "state", "digest", "--every-row").output
    foretold = run(changing, "policies", "diff", "--against", new, "--limit", "3")
    assert foretold.exit_code == 1, foretold.output
    assert "kind                    lww -> owner" in foretold.output
    assert f"{SKUS} entities: {MOVED} with another winner" in foretold.output
    assert f"and {MOVED - 3} more" in foretold.output
    told = json.loads(run(changing, "policies", "diff", "--against", new, "--json").output)
    assert (told["running"], told["new"], told["pushes"]) == ([7], 8, {"acme|presta": MOVED})
    assert run(changing, "state", "digest", "--every-row").output == digest, "asking has changed nothing"

    pushed = len(changing.read(topics.push("prestashop")))
    changing.policies(8, SHOP_OWNS)
    changing.fold_anew()
    assert len(changing.read(topics.push("prestashop"))) == pushed + MOVED
    decided = [one for one in changing.read(topics.DECISIONS) if one["because"] == "policy_revision"]
    assert len(decided) == MOVED
    assert {(one["winner"]["account"], one["policy_revision"]) for one in decided} == {("shop", 8)}
    with closing(changing.reader()) as reader:
        states = [changing.codec.decode(value) for value in reader.latest("state.price.v1").values()]
    assert {one["meta"]["account"] for one in states} == {"shop"}
    assert run(changing, "policies", "diff").exit_code == 0
    verified = run(changing, "state", "verify")
    assert verified.exit_code == 0, verified.output
    explained = run(changing, "explain", "acme|price|SKU-1~default~EUR")
    assert "policy_revision" in explained.output

    changing.policies(7, LWW)
    assert "revision 8, and this configuration has revision 7" in changing.refused()
    lower = run(changing, "policies", "diff")
    assert (lower.exit_code, "a resolver would refuse the new ones" in lower.output) == (1, True)
    changing.policies(8, LWW)
    assert "other policies of price under the same revision 8" in changing.refused()
    changing.policies(9, LWW)
    changing.fold_anew()
    assert run(changing, "policies", "diff").exit_code == 0


def test_what_cannot_be_asked_is_neither_yes_nor_no(changing: Changing) -> None:
    wrong = CliRunner().invoke(main, ["policies", "diff"], env=changing.environ | {"SLUICE_TOPIC_PREFIX": "nobody."})
    assert (wrong.exit_code, "has no topic nobody." in wrong.output) == (2, True)
