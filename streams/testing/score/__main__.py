"""`python -m streams.testing.score`: every scenario, or some; one JSON line each; exit 1 when a gate fails."""

from __future__ import annotations

import logging
import sys

import click
import structlog

from streams.testing.score.scenarios import SCENARIOS
from streams.testing.score.verdict import score


@click.command()
@click.option("--scenario", "names", multiple=True, type=click.Choice([one.name for one in SCENARIOS]))
@click.option("--seed", default=1, show_default=True)
def main(names: tuple[str, ...], seed: int) -> None:
    """Score the courier's shaping of calls in virtual time."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )  # breakers open: so be it
    failed = False
    for scenario in SCENARIOS:
        if not names or scenario.name in names:
            result = score(scenario, seed)
            failed |= bool(result.failed)
            sys.stdout.write(result.line() + "\n")
            sys.stdout.flush()
    sys.exit(failed)


if __name__ == "__main__":
    main()
