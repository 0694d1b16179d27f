"""The answer for people: plain text, one block per entity. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.core.policy import PolicyKind
from streams.runtime.explain.facts import NO_DECISION, ONLY_ACCOUNT, Explained, Rule
from streams.runtime.explain.words import Word

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = range(946_684_800_000_000, 7_258_118_400_000_000)  # microseconds of the years 2000 to 2200
_POLICIES = {
    PolicyKind.LWW.value: "last writer wins",
    PolicyKind.OWNER.value: "the first owner that has spoken wins",
    PolicyKind.SINGLE.value: "one origin",
}
_BECAUSE = {
    ONLY_ACCOUNT: "only one account has spoken of it, so nothing had to be decided",
    "version": "the account that decided already said something newer of its own",
    "corrected_time": "corrected times were compared, then account priority, then account id",
    "owner": "the order of the owners was compared",
    "policy_revision": "the policies were changed, and what the accounts had said was folded anew by these",
    NO_DECISION: "no decision is kept of it any more; what follows is judged by the policies as they are now",
}
REST = "*"  # the group of all fields that are in no other
_ASKED = {
    "parts": "fields of the golden record",
    "winner": "the winner's content",
    "older": "an older winner's content",
    "nothing": "nothing",
}


def render(one: Explained) -> str:
    """All that is known of one entity."""
    blocks = [
        _head(one),
        _groups(one.groups),
        *(_account(word, one.deleted) for word in one.accounts),
        _list(f"decisions, newest last ({len(one.decisions)})", [_decision(d) for d in one.decisions], _undecided(one)),
        _list(f"events, newest last ({len(one.events)})", [_event(e) for e in one.events]),
        _list(f"asked of destinations, newest last ({len(one.pushes)})", [_task(t) for t in one.pushes]),
        _list(f"calls to vendors, newest last ({len(one.calls)})", [_call(c) for c in one.calls]),
    ]
    return "\n".join(line for block in blocks for line in block)


def when(value: int) -> str:
    """Microseconds UTC as text."""
    return (_EPOCH + timedelta(microseconds=value)).strftime("%Y-%m-%d %H:%M:%S.%fZ")


def clock(value: int) -> str:
    """A source clock: times are shown as such, anything else is the vendor's own counting."""
    return f"{when(value)} ({value})" if value in _TIMES else f"sequence {value}"


def _head(one: Explained) -> list[str]:
    then = [] if one.at is None else [f"  as of {when(one.at)}, told from the decisions and events up to then"]
    return [one.golden_key, *then, f"  {one.type}, {_version(one)}: {_value(one)}", *_rule(one.rule)]


def _version(one: Explained) -> str:
    if one.golden_version is not None:
        return f"version {one.golden_version}"
    return "no row at the resolver" if one.at is None else "version not known"


def _value(one: Explained) -> str:
    if one.state:
        return ", ".join(f"{name} {value}" for name, value in one.state.items())
    if one.deleted:
        return "deleted"
    return "state is not written (yet)" if one.at is None else "its value is not kept any more"


def _groups(groups: list[dict[str, Any]]) -> list[str]:
    """Empty for an entity that has one winner for all its fields."""
    lines = [
        f"{'all other fields' if one['group'] == REST else one['group']}: {one['account']} by {one['rule']}, "
        f"{one['because']}"
        for one in groups
    ]
    return _list("winner of each group of fields", lines) if lines else []


def _rule(rule: Rule) -> list[str]:
    then = "" if rule.revision is None else f", policies of revision {rule.revision}"
    owners = f" ({', '.join(rule.owners)})" if rule.owners else ""
    lines = [
        f"  rule     {rule.kind}{owners}: {_POLICIES.get(rule.kind, 'unknown here')}{then}",
        f"  because  {rule.because}: {_BECAUSE.get(rule.because, 'unknown here')}",
    ]
    if rule.revision not in (None, rule.configured_revision) or rule.kind != rule.configured:
        lines.append(f"  now      the file says {rule.configured}, revision {rule.configured_revision}")
    return lines


def _account(word: Word, deleted: bool) -> list[str]:
    name = f"{word.account} ({word.platform})" if word.platform else f"{word.account} (not in the configuration)"
    says = ["  says            it is deleted"] if word.op == "delete" else []
    version = f"{word.rank}, sequence {word.sequence}, mapping revision {word.mapping_revision}"
    lines = [
        f"{'WINNER' if word.wins else 'loser'}  {name}",
        *says,
        f"  source clock    {clock(word.source_clock)}",
        f"  corrected time  {when(word.corrected_time)}{' (inherited from what we wrote there)' if word.echo else ''}",
        f"  version         {version}, content {word.fingerprint}",
        *([f"  event           {_said(word.event)}"] if word.event else []),
    ]
    if not word.wins:
        lines.append(f"  lost because    {word.lost_because}")
    if not word.wins and word.holds_winner is not None:
        lines.append(f"  holds           {'the same as' if word.holds_winner else 'something else than'} the winner")
    if not (word.wins and word.asked == "nothing") and not deleted:
        lines.append(f"  asked to hold   {_ASKED[word.asked]}")
    lines += [f"  note            {note}" for note in _notes(word)]
    return [f"  {line}" for line in lines]


def _notes(word: Word) -> Iterator[str]:
    if word.ambiguous:
        yield "ambiguous: it said two different things with versions that differ in nothing else; a read of it decides"
    if word.stuck:
        yield "does not stick: it held something else after every write, and is asked again when the winner changes"


def _said(event: dict[str, Any]) -> str:
    """Which event said it, how it came and where it stands."""
    came = f", {event['channel']} delivery {event['delivery_id']}" if "delivery_id" in event else ""
    places = [_at(event[topic]) for topic in ("inbound", "events") if event.get(topic)]
    return f"{event['event_id']}{came}; {', '.join(places)}"


def _list(title: str, lines: list[str], empty: str = "none") -> list[str]:
    return [f"  {title}", *(f"    {line}" for line in lines or [empty])]


def _undecided(one: Explained) -> str:
    return "none: decisions are written once a second account speaks" if len(one.accounts) == 1 else "none"


def _decision(record: dict[str, Any]) -> str:
    pushed = f", pushed to {', '.join(record['pushed_to'])}" if record["pushed_to"] else ""
    event = f"event of {record['event_account']} {record['outcome']}" if record["source_topic"] else "other policies"
    source = f"{record['source_topic']} partition {record['source_partition']} offset {record['source_offset']}"
    return (
        f"{when(record['decided_at'])}  {event}: winner {record['winner']} by {record['rule']}, {record['because']} "
        f"(revision {record['policy_revision']}), version {record['golden_version']}{pushed}"
        f"{f'; from {source}' if record['source_topic'] else ''}"
    )


def _event(record: dict[str, Any]) -> str:
    marks = "".join(f", {mark}" for mark in ("late", "unchanged") if record.get(mark))
    return (
        f"{when(record['received_at'])}  {record['account']} by {record['channel']}: {record['op']}{marks}, content "
        f"{record['fingerprint']}, delivery {record['delivery_id']}; {_place(record)}"
    )


def _task(record: dict[str, Any]) -> str:
    return (
        f"{when(record['wanted_at'])}  {record['account']} ({record['platform']}) to {record['op']} version "
        f"{record['golden_version']}: {', '.join(record['fields'])} by flow {record['flow']}, lane {record['lane']}, "
        f"content {record['fingerprint']}; {_place(record)}"
    )


def _call(record: dict[str, Any]) -> str:
    version = "" if record["golden_version"] is None else f" version {record['golden_version']}"
    return (
        f"{when(record['sent_at'])}  {record['account']} ({record['platform']}) {record['operation']}{version}: "
        f"{record['outcome']}, {record['method']} {record['endpoint']} -> {record['status'] or 'no reply'} in "
        f"{record['latency_ms']:.0f} ms, attempt {record['attempt']}; {_place(record)}"
    )


def _place(record: dict[str, Any]) -> str:
    return _at(record["at"])


def _at(place: dict[str, Any]) -> str:
    return f"{place['topic']} partition {place['partition']} offset {place['offset']}"
