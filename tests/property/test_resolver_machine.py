"""The whole resolver beside an oracle: words in any order, repetitions, time, commits, crashes, restarts."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.property.resolver_machine import OneValuePerAccount, PutTogether, ResolverMachine

STEPS = 40


@pytest.mark.parametrize("machine", [OneValuePerAccount, PutTogether])
def test_whatever_is_said_repeated_crashed_and_restarted_the_oracle_agrees(machine: type[ResolverMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(stateful_step_count=STEPS))
