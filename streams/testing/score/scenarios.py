"""The scenarios: what is asked, of what kind of API, what is measured, and which bar does not hold there and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from connectors.kit.contract import Budget
from schemas.entities import Lane
from streams.testing.score.api import Api, Dialect, Report, Shape
from streams.testing.score.bucket import Closure, Quota, Rival
from streams.testing.score.figures import Focus
from streams.testing.score.gates import Apart
from streams.testing.score.load import Burst, Kind, Stream
from streams.testing.score.policies import AtOnce, PerWindow
from streams.testing.score.world import Case


@dataclass(frozen=True, slots=True)
class Scenario:
    """`alone`: the same with nothing but the high lane, to see what the lower lanes do to it."""

    name: str
    about: str
    case: Case
    focus: Focus = field(default_factory=Focus)
    alone: Case | None = None
    apart: Mapping[str, Apart] = field(default_factory=dict)


KNOWN = Budget("rate", 40.0, 40.0, 32)
HUNGRY = (Stream("stock", backlog=2700),)
HALVED = (Quota(40.0, 40.0), Quota(20.0, 20.0, at=30.0))
SHAPES = {
    f"q{cost}": Shape(guess=10.0, low=cost * 0.95, high=cost * 1.05) for cost in (1, 3, 10, 30, 100, 200, 400, 800)
}


def _hungry(name: str, about: str, api: Api | None = None, **apart: Apart) -> Scenario:
    """One minute with more work than the API admits."""
    return Scenario(name, about, Case(HUNGRY, 60.0, api or Api()), Focus(saturated=(0.0, 60.0)), apart=apart)


def _windowed(*also: PerWindow | AtOnce, skew: float = 0.0) -> Api:
    """An API that limits requests per window and not by a bucket."""
    return Api((Quota(1000.0, 1000.0),), dialect=Dialect.RESETS, also=also, skew=skew)


def _lanes(name: str, about: str, normal: float, bulk: float) -> Scenario:
    """A quarter of the quota is urgent; what else is asked for is given in changes per second."""
    high = Stream("price", Lane.HIGH, rate=10.0)
    rest = (Stream("text", Lane.NORMAL, rate=normal, entities=200), Stream("scan", Lane.BULK, rate=bulk, entities=200))
    return Scenario(name, about, Case((high, *rest), 90.0), alone=Case((high,), 90.0))


def _with(scenario: Scenario, *, focus: Focus | None = None, **case: object) -> Scenario:
    return replace(scenario, case=replace(scenario.case, **case), focus=focus or scenario.focus)  # type: ignore[arg-type]


SCENARIOS = (
    _hungry("steady", "more work than quota, a level in every reply"),
    _hungry("rtt_20", "replies after 20 ms", Api(rtt=(0.02, 0.02))),
    _hungry("rtt_80", "replies after 80 ms", Api(rtt=(0.08, 0.08))),
    Scenario(
        "rtt_500",
        "replies after 400 to 600 ms",
        Case((Stream("stock", backlog=5200),), 120.0, Api(rtt=(0.4, 0.6))),
        Focus((0.0, 120.0)),
    ),
    _hungry("calls_header", "used/limit in every reply, no rate", Api(dialect=Dialect.CALLS)),
    _hungry("headers_missing", "an API that is said to report its level and does not", Api(dialect=Dialect.SILENT)),
    _hungry("headers_late", "the level as it was 2 s ago", Api(report=Report.LATE)),
    _hungry("headers_wrong", "any number for a level", Api(report=Report.WRONG)),
    _hungry("headers_stuck", "always a full bucket", Api(report=Report.STUCK)),
    _with(_hungry("rate_known", "no level, a documented rate", Api(dialect=Dialect.SILENT)), budget=KNOWN),
    Scenario(
        "limit_unknown",
        "neither a level nor a rate is known, a refusal is a bare 429",
        Case(
            (Stream("stock", backlog=5200),),
            240.0,
            Api((Quota(20.0, 20.0),), dialect=Dialect.MUTE),
            Budget("unknown", 5.0, 500.0, 32),
        ),
        Focus((0.0, 240.0)),
        apart={
            "throttled": Apart(0.0025, "a limit that nobody tells is found by being refused"),
            "overshoot": Apart(0.25, "as for refusals"),
        },
    ),
    Scenario(
        "lost_replies",
        "one reply in 200 is lost, of writes and of commands that must not be carried out twice",
        Case(
            (Stream("stock", backlog=1800), Stream("order", kind=Kind.COMMAND, backlog=1800)),
            60.0,
            Api(lost=0.005),
        ),
        Focus((0.0, 60.0), fair=("stock", "order")),
    ),
    Scenario(
        "burst",
        "half the quota, then ten times as much for 10 s",
        Case((Stream("stock", rate=20.0, burst=Burst(20.0, 30.0, 10.0)),), 80.0),
        Focus(saturated=(22.0, 70.0)),
    ),
    Scenario(
        "quota_halved",
        "the quota falls to a half, and the API says so",
        Case(HUNGRY, 60.0, Api(HALVED)),
        Focus((0.0, 60.0), cut=30.0),
    ),
    Scenario(
        "quota_halved_untold",
        "the quota falls to a half, and only the level shows it; refusals are replies of status 200",
        Case(
            HUNGRY,
            60.0,
            Api((Quota(40.0, 40.0), Quota(20.0, 40.0, at=30.0)), dialect=Dialect.THROTTLED, advertises=False),
        ),
        Focus((0.0, 60.0), cut=30.0),
    ),
    Scenario(
        "quota_times_five",
        "the quota rises fivefold",
        Case((Stream("stock", backlog=6500),), 45.0, Api((Quota(40.0, 40.0), Quota(200.0, 200.0, at=20.0)))),
        Focus((0.0, 45.0), rise=20.0),
    ),
    Scenario(
        "rival_visible",
        "another app takes half the refill for 20 s; the level shows it, the stated restore rate does not",
        Case(HUNGRY, 60.0, Api(rivals=(Rival(20.0, 20.0, 40.0),))),
        Focus((0.0, 60.0), cut=20.0, rise=40.0),
    ),
    Scenario(
        "rival_hidden",
        "another app takes half the refill for 20 s, and nothing but refusals shows it",
        Case(HUNGRY, 60.0, Api(rivals=(Rival(20.0, 20.0, 40.0),), dialect=Dialect.SILENT), KNOWN),
        Focus((0.0, 60.0), cut=20.0, rise=40.0),
        apart={
            "throttled": Apart(0.005, "nothing but refusals tells of the rival, and one tells how much it takes"),
            "reaction_down": Apart(None, "each look for more ends in a refusal as long as the rival is there"),
            "refused_after_cut": Apart(10, "a look every 3 s, as its end is to be used within 5 s"),
        },
    ),
    Scenario(
        "quota_halved_hidden",
        "the quota falls to a half for 20 s, and nothing but refusals shows it",
        Case(
            HUNGRY,
            60.0,
            Api((*HALVED[:1], Quota(20.0, 20.0, at=20.0), Quota(40.0, 40.0, at=40.0)), dialect=Dialect.SILENT),
            KNOWN,
        ),
        Focus((0.0, 60.0), cut=20.0, rise=40.0),
        apart={
            "throttled": Apart(0.005, "as for a hidden rival"),
            "overshoot": Apart(0.2, "what tells of the cut is a request too many, and so is every look"),
            "reaction_down": Apart(None, "as for a hidden rival"),
            "refused_after_cut": Apart(10, "as for a hidden rival"),
        },
    ),
    Scenario(
        "skew_dates",
        "half a minute of refusals with a Retry-After as a date, by a clock that is five minutes ahead",
        Case(
            (Stream("stock", backlog=6500),),
            180.0,
            Api(closures=(Closure(20.0, 50.0),), dialect=Dialect.DATES, skew=300.0),
            KNOWN,
        ),
        Focus((0.0, 180.0), cut=20.0, rise=50.0),
        apart={
            "throttled": Apart(0.001, "the first refusal tells of it, and finds others on their way"),
            "refused_after_cut": Apart(5, "that many are on their way when the first refusal comes back"),
        },
    ),
    *(
        Scenario(
            f"skew_resets_{name}",
            f"400 requests per 10 s, whose reset is told as a time by a clock that is five minutes {name}",
            Case(HUNGRY, 60.0, _windowed(PerWindow("", 400, 10.0), skew=skew), Budget("window", 40.0, 400.0, 32)),
            Focus((0.0, 60.0)),
        )
        for name, skew in (("ahead", 300.0), ("behind", -300.0))
    ),
    Scenario(
        "policies",
        "80 units per second, 1500 requests per minute and 4 at once; calls of 2 units; the window is found in a reply",
        Case(
            (Stream("stock", backlog=3300),),
            120.0,
            replace(
                _windowed(PerWindow("minute", 1500, 60.0, 2.0), AtOnce("places", 4, 0.02)),
                quotas=(Quota(80.0, 80.0),),
                dialect=Dialect.POLICIES,
                rtt=(0.04, 0.08),
            ),
            Budget("rate", 80.0, 80.0, 32, also={"places": Budget("concurrent", 1.0, 4.0, 32)}),
            {"write": Shape(2.0, 2.0, 2.0)},
        ),
        Focus((0.0, 120.0)),
    ),
    _hungry(
        "server_errors",
        "one reply in a hundred is a 500",
        Api(errors=0.01),
        waste=Apart(0.02, "what was answered with a 500 has changed nothing and is asked again"),
    ),
    Scenario(
        "takeover",
        "the courier is killed twice; its successor hears the level from its first call",
        Case(HUNGRY, 60.0, killed=(20.0, 40.0)),
        Focus((0.0, 60.0), cut=20.0, rise=40.0),
    ),
    Scenario(
        "takeover_silent",
        "the courier is killed twice, and no level tells its successor what it had spent",
        Case((Stream("stock", backlog=4000),), 90.0, Api(dialect=Dialect.SILENT), KNOWN, killed=(20.0, 50.0)),
        Focus((0.0, 90.0), cut=20.0, rise=50.0),
    ),
    Scenario(
        "long_retry_after",
        "everything is refused for two minutes, with a Retry-After",
        Case((Stream("stock", backlog=3500),), 180.0, Api(closures=(Closure(20.0, 140.0),))),
        Focus((0.0, 180.0), cut=20.0, rise=140.0),
        apart={
            "throttled": Apart(0.0025, "the first refusal tells of it, and finds others on their way"),
            "refused_after_cut": Apart(5, "that many are on their way when the first refusal comes back"),
        },
    ),
    Scenario(
        "outage",
        "nobody answers for half an hour",
        Case((Stream("stock", backlog=3500),), 1860.0, Api(closures=(Closure(20.0, 1820.0, outage=True),))),
        Focus(rise=1820.0),
        apart={
            "waste": Apart(
                0.25, "to use its end within 5 s somebody has to ask 20 times a minute, and nobody else calls"
            )
        },
    ),
    Scenario(
        "costs_unknown",
        "eight kinds of queries that cost 1 to 800, all expected to cost 10",
        Case(
            tuple(Stream(name, backlog=90, shape=name) for name in SHAPES),
            120.0,
            Api((Quota(1000.0, 10_000.0),)),
            Budget("level", 1000.0, 10_000.0, 32),
            SHAPES,
        ),
        Focus((0.0, 120.0)),
    ),
    Scenario(
        "fair",
        "three flows that ask for calls of 1, 5 and 20 units without end",
        Case(
            (
                Stream("light", backlog=2500, shape="1"),
                Stream("medium", backlog=600, shape="5"),
                Stream("heavy", backlog=200, shape="20"),
            ),
            60.0,
            Api((Quota(100.0, 100.0),)),
            Budget("level", 100.0, 100.0, 32),
            {str(cost): Shape(cost, cost, cost) for cost in (1, 5, 20)},
        ),
        Focus((0.0, 60.0), fair=("light", "medium", "heavy")),
    ),
    Scenario(
        "reads_and_writes",
        "fetches beside writes, under one budget",
        Case((Stream("stock", backlog=2000), Stream("order", kind=Kind.FETCH, backlog=2000)), 60.0),
        Focus((0.0, 60.0), fair=("stock", "order")),
    ),
    _lanes("demand_80", "demand is 80 % of the quota", 14.0, 8.0),
    _lanes("demand_100", "demand is the quota", 18.0, 12.0),
    _lanes("demand_150", "demand is one and a half times the quota", 30.0, 20.0),
    Scenario(
        "coalescing",
        "changes of 300 entities at three times the quota",
        Case((Stream("stock", rate=120.0, entities=300),), 60.0),
        Focus((10.0, 60.0)),
    ),
    Scenario(
        "accounts_1000",
        "one account with endless work among a thousand that want little",
        Case(
            (Stream("stock", backlog=1500), Stream("idle", rate=20.0, accounts=999, first_account=1, entities=999)),
            30.0,
            accounts=1000,
        ),
        Focus((0.0, 30.0)),
    ),
)
