"""What hand-overs add to the history of an execution, on virtual time.

A project with an App Certificate, whose tokens end after a day: a recording of 30 days has 30
sessions, one execution, and one history. The shipped rooms and the shipped state machine run on the
fakes of the tests; its states are counted as AWS counts them (bill.py).
"""

from __future__ import annotations

from typing import Any

from benchmarks.bill import EVENTS_OF, FRAME_EVENTS, HISTORY_LIMIT, TOKEN_EVENTS
from tests.world.builders import requested
from tests.world.house import APP_ID, House, assert_sound, certify
from tests.world.machine import Machine

TOKEN_S = 3600  # a day of 24 hours has the same states, and takes longer to simulate
SESSIONS = 30  # of 30 days


def run() -> dict[str, dict[str, Any]]:
    """Return the history events of a recording of 30 days, beside AWS's limit."""
    one, three = _events(1), _events(3)
    added = (three - one) / 2
    whole = one + (SESSIONS - 1) * added
    return {
        "history_events_30d_tokens": {
            "value": round(whole),
            "unit": "events, 29 hand-overs",
            "floor": HISTORY_LIMIT,
            "ratio": round(whole / HISTORY_LIMIT, 4),
            "n": 2,
            "of_a_hand_over": round(added),
        }
    }


def _events(tokens: int) -> int:
    """Return the history events of a recording that needs so many tokens."""
    # Each is handed over in its last quarter; the recording ends just before the last one would be.
    row = requested(max_duration_seconds=tokens * TOKEN_S * 3 // 4 - 60)
    house = House(row, agora_app_id=APP_ID, token_s=TOKEN_S)
    certify(house)
    house.begin()
    house.run(2 * tokens * TOKEN_S)
    assert_sound(house)
    if len(house.agora.sessions) != tokens:
        raise RuntimeError(f"{len(house.agora.sessions)} sessions with {tokens} tokens")
    (execution,) = house.machine.runs.values()
    return FRAME_EVENTS + sum(_of_state(name) for name in execution.history)


def _of_state(name: str) -> int:
    machine = Machine.shipped()
    return TOKEN_EVENTS if machine.takes_token(name) else EVENTS_OF[machine.type_of(name)]
