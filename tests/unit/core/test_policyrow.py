"""The row that says by which policies the entities of a shard stand."""

from __future__ import annotations

import json

import pytest

from schemas.entities import EntityType
from streams.core import policyrow
from streams.core.policy import DeleteRule, FieldGroup, Policy, PolicyKind, Rules
from streams.core.policyrow import Standing, pack, unpack

PRODUCT, PRICE = EntityType.PRODUCT, EntityType.PRICE
TEXTS = FieldGroup("texts", ("title", "vendor"), PolicyKind.OWNER, ("pim",))
LABELS = FieldGroup("labels", ("tags",), PolicyKind.LWW)
RICH = Policy(PolicyKind.OWNER, ("erp", "shop"), DeleteRule.ANY, (LABELS, TEXTS), partial=True)


def standing(revision: int = 1, kept: tuple[EntityType, ...] = (), **policies: Policy) -> Standing:
    by_type = {EntityType(name): policy for name, policy in policies.items()}
    return Standing.of(Rules(revision, by_type), [kind.code for kind in kept])


def test_a_row_is_read_as_it_was_written() -> None:
    one = standing(7, (PRICE, PRODUCT), product=RICH)
    assert unpack(pack(one)) == one
    assert set(one.policies) == set(EntityType)


def test_without_a_row_nothing_is_known_and_everything_must_be_folded() -> None:
    assert unpack(None) == Standing()
    assert unpack(None).stale(standing()) == list(EntityType)
    assert unpack(None).differing(standing()) == []


def test_a_type_is_stale_when_its_policy_differs_when_it_is_kept_otherwise_and_when_it_was_not_finished() -> None:
    one = standing(1, (PRICE,))
    assert one.stale(standing(2, (PRICE,))) == []
    assert one.stale(standing(2, (PRICE,), product=RICH)) == [PRODUCT]
    assert one.stale(standing(1)) == [PRICE]
    assert Standing(1, one.policies, one.kept, frozenset((PRODUCT,))).stale(one) == [PRODUCT]


@pytest.mark.parametrize(
    "other",
    [
        Policy(PolicyKind.LWW, ("erp", "shop"), DeleteRule.ANY, (LABELS, TEXTS), partial=True),
        Policy(PolicyKind.OWNER, ("shop", "erp"), DeleteRule.ANY, (LABELS, TEXTS), partial=True),
        Policy(PolicyKind.OWNER, ("erp", "shop"), DeleteRule.WINNER, (LABELS, TEXTS), partial=True),
        Policy(PolicyKind.OWNER, ("erp", "shop"), DeleteRule.ANY, (LABELS,), partial=True),
        Policy(PolicyKind.OWNER, ("erp", "shop"), DeleteRule.ANY, (LABELS, TEXTS)),
        Policy(
            PolicyKind.OWNER, ("erp", "shop"), DeleteRule.ANY,
            (LABELS, FieldGroup("texts", ("title", "vendor"), PolicyKind.OWNER, ("shop",))), partial=True,
        ),
    ],
    ids=["kind", "owners", "deletes", "groups", "partial", "owners of a group"],
)  # fmt: skip
def test_every_part_of_a_policy_makes_it_another_one(other: Policy) -> None:
    assert standing(product=RICH).differing(standing(product=other)) == [PRODUCT]


def test_the_order_of_groups_and_fields_says_nothing() -> None:
    turned = FieldGroup("texts", ("vendor", "title"), PolicyKind.OWNER, ("pim",))
    other = Policy(PolicyKind.OWNER, ("erp", "shop"), DeleteRule.ANY, (turned, LABELS), partial=True)
    assert policyrow.same(RICH, other)
    assert pack(standing(product=RICH)) == pack(standing(product=other))


def test_defaults_are_not_written_so_that_new_ones_change_nothing() -> None:
    assert policyrow.plain(Policy(PolicyKind.LWW)) == {"kind": "lww"}


def test_types_of_a_later_version_are_left_out() -> None:
    told = json.loads(pack(standing()))
    told["policies"]["subscription"] = {"kind": "moon"}
    told["kept"].append("subscription")
    assert unpack(json.dumps(told).encode()) == standing()


@pytest.mark.parametrize("row", [b"", b"[]", b"{}", b'{"format":9}', b"\x00\x01", pack(standing())[:-9]])
def test_another_row_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError, match="not a row of policies"):
        unpack(row)
