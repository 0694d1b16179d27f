"""What the golden records must be: every word of every account is kept, and the policy is applied from scratch.

Slow and plain on purpose, and without a line of the product's: no rows, no layers, no short way. What it takes from
the product are the facts of an event as the input's header has them: its id, its version and its corrected time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.headers import Version
from streams.core.policy import DeleteRule, FieldGroup, Policy, PolicyKind

Fields = Mapping[str, Any]
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Word:
    """One record of the input. `fields`: None for a deletion; `whole`: a deletion, or all there is to say; `corrected`
    in microseconds UTC; `dead`: no rule can take it."""

    topic: str
    offset: int
    key: str
    account: str
    event_id: bytes
    version: Version
    corrected: int
    fields: Fields | None
    whole: bool = True
    dead: bool = False

    @property
    def source(self) -> tuple[str, str]:
        """The record whose order `events` keep."""
        return self.key, self.account


@dataclass(frozen=True, slots=True)
class View:
    """What one account says of an entity: its newest word, its newest whole one, and who says each field."""

    newest: Word
    base: Word | None
    sayers: Mapping[str, Word]

    @property
    def gone(self) -> bool:
        """It deleted the entity; to say some fields of it afterwards does not bring it back."""
        return self.base is not None and self.base.fields is None

    def value(self, name: str) -> Any:
        """A field as the account has it."""
        return (self.sayers[name].fields or {})[name]


@dataclass(frozen=True, slots=True)
class Golden:
    """The record of an entity; `fields`: None while there is none. `groups`: who gave the field groups."""

    account: str = NOBODY
    fields: Fields | None = None
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def givers(self) -> set[str]:
        """Whose words are part of it."""
        return {self.account, *self.groups.values()} - {NOBODY}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one word. `version`: how often the golden content has changed, this word included; `spoken`: how
    many accounts have spoken of the entity; `changed`: this word changed the golden content, `moved`: the winner."""

    word: Word
    outcome: str
    golden: Golden
    version: int
    spoken: int
    changed: bool = False
    moved: bool = False


BEATEN = "beaten"  # nothing that its account says now is of this word


@dataclass
class Oracle:
    """Everything said, in the order in which it was taken up. `order`: accounts by priority, the best first; `names`:
    the fields of a whole record; `topics`: the inputs in the order in which they are read again after a crash."""

    policy: Policy
    order: Sequence[str]
    names: Sequence[str]
    topics: Sequence[str]
    words: list[Word] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)  # of the words that are committed
    golden: dict[str, Golden] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)

    def hear(self, word: Word) -> None:
        """One more word."""
        self.words.append(word)

    def commit(self) -> None:
        """Everything heard counts from now on."""
        for at in range(len(self.verdicts), len(self.words)):
            self.verdicts.append(self._verdict(self.words[: at + 1]))

    def rule_by(self, policy: Policy) -> dict[str, bool]:
        """Another policy decides from now on, also on all that was said before. Returns by golden key whether the
        golden content is another one now. Nothing may be uncommitted."""
        self.policy = policy
        return {key: self._fold_anew(key) for key in self.golden}

    def _fold_anew(self, key: str) -> bool:
        said = [one for one in self.words if one.key == key and not one.dead]
        before, after = self.golden[key], golden(said, self.policy, self.order, self.names)
        changed = before.fields != after.fields
        self.golden[key] = after
        self.changes[key] += changed
        return changed

    def crash(self) -> None:
        """What was not committed is read again, topic by topic."""
        done = len(self.verdicts)
        self.words[done:] = sorted(self.words[done:], key=lambda word: self.topics.index(word.topic))

    def living(self) -> list[Word]:
        """The committed words that some rule can take."""
        return [verdict.word for verdict in self.verdicts if not verdict.word.dead]

    def _verdict(self, heard: Sequence[Word]) -> Verdict:
        word = heard[-1]
        if word.dead:
            return Verdict(word, "dead", Golden(), 0, 0)
        said = [one for one in heard if one.key == word.key and not one.dead]
        before = self.golden.get(word.key)
        after = self.golden[word.key] = golden(said, self.policy, self.order, self.names)
        changed = before is None or before.fields != after.fields
        self.changes[word.key] += changed
        outcome = _outcome(said, word, after, changed=changed)
        moved = before is not None and before.account != after.account
        spoken = len({one.account for one in said})
        return Verdict(word, outcome, after, self.changes[word.key], spoken, changed, moved)


def _outcome(said: Sequence[Word], word: Word, after: Golden, *, changed: bool) -> str:
    mine = [one for one in said if one.account == word.account]
    if len(mine) > 1 and view(mine) == view(mine[:-1]):
        return BEATEN
    if word.account not in after.givers:
        return "superseded"
    return "won" if changed else "unchanged"


def view(words: Iterable[Word]) -> View:
    """What an account says by all these words, whatever their order. Of those with one version the first counts."""
    once: dict[Version, Word] = {}
    for word in words:
        once.setdefault(word.version, word)
    rising = sorted(once.values(), key=lambda word: word.version)
    start = max((at for at, word in enumerate(rising) if word.whole), default=None)
    counted = rising if start is None else rising[start:]
    sayers = {name: word for word in counted for name in word.fields or ()}
    return View(rising[-1], None if start is None else rising[start], sayers)


def golden(said: Sequence[Word], policy: Policy, order: Sequence[str], names: Sequence[str]) -> Golden:
    """The golden record of an entity of which this was said; there must be a word."""
    views = {one.account: view(w for w in said if w.account == one.account) for one in said}
    winner = _chosen(views, {account: v.newest for account, v in views.items()}, policy, policy.deletes, order)
    if views[winner].gone:
        return Golden(winner)
    there = {account: v for account, v in views.items() if not v.gone}
    whole = {account: v.newest for account, v in there.items() if set(names) <= set(v.sayers)}
    if not whole:
        return Golden()
    base = _chosen(there, whole, policy, DeleteRule.WINNER, order)
    fields = {name: there[base].value(name) for name in names}
    groups = {"*": base} if policy.merges else {}
    for group in policy.groups:
        able = {
            account: max((v.sayers[name] for name in group.fields), key=lambda word: word.version)
            for account, v in there.items()
            if set(group.fields) <= set(v.sayers)
        }
        giver = groups[group.name] = _chosen(there, able, group, DeleteRule.WINNER, order)
        fields |= {name: there[giver].value(name) for name in group.fields}
    return Golden(base, fields, groups)


def _chosen(
    views: Mapping[str, View],
    candidates: Mapping[str, Word],
    rule: Policy | FieldGroup,
    deletes: DeleteRule,
    order: Sequence[str],
) -> str:
    """The account that wins; `candidates`: its word that decides, by account."""
    gone = {account for account in candidates if views[account].gone}
    there = candidates.keys() - gone
    running = set(candidates)
    if deletes is DeleteRule.ANY:
        running = gone or running
    elif deletes is DeleteRule.UNANIMOUS:
        running = there or running
    if rule.kind is PolicyKind.LWW:
        return max(running, key=lambda account: (candidates[account].corrected, -order.index(account)))
    return min(running, key=lambda account: (_rank(account, rule.owners), order.index(account)))


def _rank(account: str, owners: Sequence[str]) -> int:
    return owners.index(account) if account in owners else len(owners)
