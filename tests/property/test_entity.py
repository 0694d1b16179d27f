"""Laws of the resolver's rows, and of the choice among what accounts said: against the words of the rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.entities import Op
from streams.core.entity import MOST_ASKED, MOST_TRIES, Contribution, Entity, version_in
from streams.core.policy import DeleteRule, Policy, PolicyKind
from streams.core.resolve import UNRANKED, Standing, choose

NAMES = [bytes([n]) * 8 for n in range(1, 6)]
eight = st.binary(min_size=8, max_size=8)
times = st.integers(0, 2**62)
contributions = st.builds(
    Contribution, st.sampled_from(NAMES), st.binary(min_size=29, max_size=29), st.one_of(st.integers(1, 3), times),
    st.sampled_from(Op), times, st.lists(st.tuples(eight, times), max_size=MOST_ASKED).map(tuple),
    st.integers(0, MOST_TRIES), st.booleans(),
)  # fmt: skip
spoken = st.lists(contributions, min_size=1, max_size=5, unique_by=lambda c: c.account)
entities = st.builds(
    Entity, times, eight, eight, spoken.map(lambda found: tuple(sorted(found, key=lambda c: c.account))), st.booleans()
)
policies = st.builds(Policy, st.sampled_from(PolicyKind), deletes=st.sampled_from(DeleteRule))
standings = st.dictionaries(
    st.sampled_from(NAMES), st.builds(Standing, st.sampled_from([0, 1, UNRANKED]), st.integers(0, 2))
)


@given(entities)
def test_a_row_says_all_of_an_entity(entity: Entity) -> None:
    assert Entity.unpack(entity.pack()) == entity


@given(entities, st.sampled_from(NAMES))
def test_a_version_read_from_a_row_is_that_of_the_entity(entity: Entity, account: bytes) -> None:
    said = entity.of(account)
    assert version_in(entity.pack(), account) == (said.version if said else b"")


@given(entities, contributions)
def test_having_a_contribution_replaces_that_of_its_account_alone(entity: Entity, new: Contribution) -> None:
    after = entity.having(new)
    assert after.of(new.account) == new
    others = [c for c in after.contributions if c.account != new.account]
    assert others == [c for c in entity.contributions if c.account != new.account]
    assert [c.account for c in after.contributions] == sorted({c.account for c in after.contributions})
    assert after._replace(contributions=()) == entity._replace(contributions=())


@given(spoken, policies, standings)
def test_the_choice_is_that_of_the_rule_in_any_order(
    said: list[Contribution], policy: Policy, known: dict[bytes, Standing]
) -> None:
    candidates = said
    if policy.deletes is DeleteRule.ANY:
        candidates = [c for c in said if c.op is Op.DELETE] or said
    if policy.deletes is DeleteRule.UNANIMOUS:
        candidates = [c for c in said if c.op is Op.UPSERT] or said
    stand = {c.account: known.get(c.account, Standing(UNRANKED, UNRANKED)) for c in said}
    if policy.kind is PolicyKind.LWW:
        ranked = sorted(candidates, key=lambda c: (c.corrected, -stand[c.account].priority, c.account), reverse=True)
    else:
        ranked = sorted(candidates, key=lambda c: (stand[c.account].owner, stand[c.account].priority, c.account))
    winner, because = choose(said, policy, known)
    assert winner == ranked[0]
    assert choose(said[::-1], policy, known) == (winner, because)
    rule = "corrected_time" if policy.kind is PolicyKind.LWW else "owner"
    deleted = policy.deletes is not DeleteRule.WINNER and winner.op is Op.DELETE
    assert because == (f"deleted_by_{policy.deletes}" if deleted else rule)
