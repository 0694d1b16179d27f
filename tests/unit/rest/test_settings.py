"""What every REST account can set."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Budget
from connectors.kit.errors import Misconfigured
from connectors.rest import settings
from tests.unit.rest.support import API, account


def test_the_bucket_is_the_vendors_unless_the_account_says_otherwise() -> None:
    assert settings.budget(account(), API.budget) == Budget("rate", 5.0, 10.0, 2)
    assert settings.budget(account(rate="50", burst="5", max_in_flight="9"), API.budget) == Budget("rate", 50.0, 5.0, 9)


@pytest.mark.parametrize(
    "wrong",
    [{"page_size": "0"}, {"page_size": "2000"}, {"poll_interval": "0"}, {"poll_overlap": "-1"}, {"rate": "fast"},
     {"rate": "nan"}, {"burst": "0.5"}, {"max_in_flight": "0"}, {"polls": "1"}],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_what_is_allowed(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=rf"{next(iter(wrong))}.*allowed"):
        settings.check(account(**wrong), API)


def test_a_vendors_own_settings_are_known_beside_the_common_ones() -> None:
    settings.check(account(color="red", page_size="10"), API, ["color"])
