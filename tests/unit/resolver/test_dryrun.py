"""What other policies would change, told without changing it, and told as a resolver then does it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from schemas import topics
from schemas.entities import EntityType
from streams.cli import policydiff
from streams.core.policy import DeleteRule, FieldGroup, Flow, Policy, PolicyKind, Rules
from streams.resolver.dryrun import DryRun, Moved
from streams.resolver.role import routes_of
from streams.resolver.routes import Member
from streams.runtime.state import UnreadableRow
from streams.testing.topology import ONE_PARTITION, TopologyTestDriver

KIND = EntityType.PRODUCT
ACCOUNTS = ("pim", "erp", "shop")
MEMBERS = [Member("acme", name, "shopify", priority) for priority, name in enumerate(ACCOUNTS)]
FLOWS = (Flow("titles", KIND, ("shop", "erp"), ("title",)),)
TEXTS = FieldGroup("texts", ("title",), PolicyKind.OWNER, ("pim",))
LWW, ERP = Policy(PolicyKind.LWW), Policy(PolicyKind.OWNER, ("erp",))
GROUPS = Policy(PolicyKind.LWW, groups=(TEXTS,))


def by(policy: Policy, revision: int, flows: tuple[Flow, ...] = FLOWS) -> Rules:
    return Rules(revision, {KIND: policy}, flows=flows)


def say(run: TopologyTestDriver, account: str, name: str, at: int, *, gone: bool = False) -> None:
    text = f"{account}-{at}"
    fields: dict[str, Any] = {"title": text, "description_html": "", "status": "ACTIVE", "tags": [], "vendor": text}
    run.advance(1)
    run.say(account, KIND, name, None if gone else fields, source_time=run.clock.now() + at * 1_000_000)


def running(policy: Policy = LWW) -> TopologyTestDriver:
    """P0 to P2: shop wins by time; P3: erp does; P4: only the shop has it."""
    run = TopologyTestDriver.of(by(policy, 5), MEMBERS)
    for name in ("P0", "P1", "P2"):
        say(run, "erp", name, 0)
        say(run, "shop", name, 10)
    say(run, "shop", "P3", 0)
    say(run, "erp", "P3", 10)
    say(run, "shop", "P4", 0)
    run.commit()
    return run


def tried(run: TopologyTestDriver, policy: Policy, revision: int = 6, limit: int = 10) -> DryRun:
    table = routes_of(replace(run.config, rules=by(policy, revision)))
    dry = DryRun(table, run.codec, ONE_PARTITION, limit, run.clock.now())
    dry.shard(0, run.rows())
    return dry


def pushed(run: TopologyTestDriver) -> Counter[str]:
    return Counter({f"acme|{name}": len(run.pushes(name)) for name in ACCOUNTS if run.pushes(name)})


def test_it_counts_other_winners_and_shows_the_first_of_them() -> None:
    found = tried(running(), ERP, limit=2).found
    counts = found.types[KIND]
    assert (counts.entities, counts.winners, counts.states, counts.unknown) == (5, 3, 3, 0)
    assert [one.golden_key for one in found.changed] == ["acme|product|P0", "acme|product|P1"]
    assert found.changed[0].moved == (Moved("*", ("shop",), "erp"),)
    assert found.refused == ""


@pytest.mark.parametrize("policy", [ERP, GROUPS, Policy(PolicyKind.OWNER, ("pim",), DeleteRule.ANY, (TEXTS,))])
def test_what_it_foretells_is_what_a_resolver_then_does(policy: Policy) -> None:
    run = running()
    say(run, "pim", "P1", 4)
    run.commit()
    found = tried(run, policy).found
    states, pushes = len(run.read(topics.state(KIND))), pushed(run)
    run.restart(by(policy, 6))
    run.commit()
    assert len(run.read(topics.state(KIND))) - states == found.types[KIND].states
    assert pushed(run) - pushes == found.pushes
    assert found.types[KIND].winners, "else this shows nothing"


def test_field_groups_are_told_one_by_one() -> None:
    run = running()
    say(run, "pim", "P0", 0)
    found = tried(committed(run), GROUPS).found
    assert [(one.golden_key, one.moved) for one in found.changed][:2] == [
        ("acme|product|P0", (Moved("texts", ("shop",), "pim"),)),
        ("acme|product|P1", (Moved("texts", ("shop",), "erp"),)),
    ], "where pim has not spoken, priority decides"
    run.restart(by(GROUPS, 6))
    back = tried(committed(run), ERP, 7).found
    assert back.changed[0].moved == (Moved("*", ("pim", "shop"), "erp"),)


def committed(run: TopologyTestDriver) -> TopologyTestDriver:
    run.commit()
    return run


def test_an_entity_that_would_be_deleted_says_by_whom() -> None:
    run = running(Policy(PolicyKind.LWW, deletes=DeleteRule.UNANIMOUS))
    say(run, "shop", "P0", 20, gone=True)
    found = tried(committed(run), LWW).found
    assert found.changed[0].moved == (Moved("*", ("erp",), "shop (deletes it)"),)


def test_nothing_is_changed() -> None:
    run = running()
    rows = run.rows()
    tried(run, ERP)
    assert run.rows() == rows


def test_the_same_policies_change_nothing() -> None:
    dry = tried(running(), LWW)
    assert dry.found.types == {}
    assert policydiff.changes(dry.own, dry.found) is False
    assert "no rule differs" in policydiff.text(dry.own, dry.found)


def test_what_a_resolver_would_refuse_is_said() -> None:
    assert "`revision: 6`" in tried(running(), ERP, 5).found.refused
    assert "older copy" in tried(running(), LWW, 4).found.refused


def test_a_row_of_another_version_is_named() -> None:
    run = running()
    rows = run.rows() | {b"Eacme|product|P0": b"\x63" + bytes(30)}
    dry = DryRun(routes_of(replace(run.config, rules=by(ERP, 6))), run.codec, ONE_PARTITION, 1, 0)
    with pytest.raises(UnreadableRow, match=r"shard 0 of the resolver has a row that cannot be read: .*format 99"):
        dry.shard(0, rows)


# -- how it is told


def test_the_text_tells_rules_counts_pushes_and_entities() -> None:
    dry = tried(running(), ERP, limit=1)
    told = "\n".join(policydiff.text(dry.own, dry.found))
    assert told == (
        "running: revision 5; new: revision 6\n"
        "\nproduct\n"
        "  kind                    lww -> owner\n"
        "  owners                  - -> erp\n"
        "  5 entities: 3 with another winner, 3 with another state\n"
        "\npushes: 3 to acme|shop\n"
        "\nentities with another winner\n"
        "  acme|product|P0\n"
        "    all fields: shop -> erp\n"
        "  and 2 more; --limit 3 shows them all"
    )
    assert policydiff.changes(dry.own, dry.found)


def test_the_text_tells_field_groups_by_name() -> None:
    run = running()
    say(run, "pim", "P0", 0)
    dry = tried(committed(run), GROUPS)
    told = policydiff.text(dry.own, dry.found)
    assert "  groups.texts.fields     - -> title" in told
    assert "    texts: shop -> pim" in told


def test_the_data_says_the_same() -> None:
    dry = tried(running(), ERP, limit=1)
    told = policydiff.data(dry.own, dry.found)
    assert (told["running"], told["new"]) == ([5], 6)
    assert told["rules"] == {
        "product": [{"rule": "kind", "old": "lww", "new": "owner"}, {"rule": "owners", "old": "-", "new": "erp"}]
    }
    assert told["types"]["product"] == {"entities": 5, "winners": 3, "states": 3, "unknown": 0}
    assert told["entities"] == [
        {"golden_key": "acme|product|P0", "moved": ({"group": "*", "old": ("shop",), "new": "erp"},)}
    ]
    assert told["pushes"] == {"acme|shop": 3}


def test_a_system_that_has_not_run_yet_is_told_as_such() -> None:
    run = running()
    dry = DryRun(routes_of(replace(run.config, rules=by(ERP, 6))), run.codec, ONE_PARTITION, 1, 0)
    dry.shard(0, {})
    assert policydiff.text(dry.own, dry.found)[0] == (
        "no shard stands by any policies yet; revision 6 would be the first"
    )
    assert policydiff.changes(dry.own, dry.found) is False
