"""What must hold of all stories together: rights and secrets.

The stories have run before (`make test`), and each stack has left its evidence.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e import evidence

# Rights that AWS needs and the emulator does not ask for.
UNSEEN = {
    # Lambda itself sends there, by the function's role, when a batch has failed for good.
    "<ApplyNotificationsFunctionRole> sqs:SendMessage <DeadLetters>",
    # The same, when a refresh has failed for good.
    "<RefreshNcsAddressesFunctionRole> sqs:SendMessage <DeadLetters>",
    # Asked for a group with a rule that names a prefix list; the emulator's groups have none.
    "<RefreshNcsAddressesFunctionRole> ec2:DescribeManagedPrefixLists *",
}
PARTS = evidence.parts()


@pytest.fixture(autouse=True)
def _all_stories_were_told() -> None:
    told = {name for part in PARTS for name in part["told"]}
    untold = evidence.stories() - told
    if untold:
        pytest.skip(f"stories not told before: {', '.join(sorted(untold))}; run `make test`")


def _every(name: str) -> list[Any]:
    return sorted({each for part in PARTS for each in part[name]})


def test_no_role_was_refused_anything() -> None:
    assert _every("refused") == []


def test_no_policy_allows_what_no_story_needed() -> None:
    superfluous = set(_every("rights")) - set(_every("used"))
    assert sorted(each for each in superfluous if _in_short(each) not in UNSEEN) == []


def _in_short(right: str) -> str:
    """Return a right without the start of its ARN: partition, service, region, account."""
    return re.sub(r" arn:.*:", " ", right)


def test_no_secret_is_in_any_row_event_log_or_state() -> None:
    assert _every("secrets") == []
    assert len(_every("places")) == 4, "an empty place proves nothing"
