"""`python -m simulation.soak`: many recordings at a time on the embedded stack, in bad weather.

For so many seconds, calls of AWS are throttled, fail, are late or lose their answers, processes of
functions are killed, the readers of the table's stream begin again, and Agora fails as it can.
Then nothing more goes wrong, and everything must come to its end. The promises of the contract are
held all the time. `--record` writes the figures into docs/reliability.md and
benchmarks/results/latest.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.__main__ import keep
from benchmarks.pages import Page, table
from local.api import Api
from local.stack import EmbeddedStack
from local.weather import Forecast
from simulation.soak.people import People
from simulation.soak.report import Soaked, told
from simulation.soak.troubles import Troubles
from simulation.soak.witness import BrokenPromiseError, Witness
from tests.world.pulse import Pulse

# A slice of four minutes of Agora's own time: shorter ones would only load the bucket.
_AGORA: dict[str, Any] = {"slice_s": 240.0, "pcw": 500, "pcw_web": 500}
_CALM_S = 5400  # of Agora's own time: when everything must be over
_TOLD = 20  # looks between two words of how far it has come
_GIVEN = {"AgoraConcurrentTasks": "500"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m simulation.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of bad weather (default: 600)")
    parser.add_argument("--at-once", type=int, default=60, help="recordings (default: 60)")
    parser.add_argument("--seed", type=int, help="of all that goes wrong (default: a new one)")
    parser.add_argument("--speed", type=float, default=10, help="of Agora's time (default: 10)")
    parser.add_argument("--record", action="store_true", help="keep the figures")
    arguments = parser.parse_args(argv)
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    with EmbeddedStack(
        speed=arguments.speed, options={**_AGORA, "seed": seed}, given=_GIVEN, has_weather=True
    ) as stack:
        try:
            soaked = soak(stack, arguments.seconds, arguments.at_once, seed)
        except BrokenPromiseError as broken:
            print(told(stack, broken.breaches))
            print(f"\nseed {seed}: a promise was broken.")
            return 1
    print(soaked.told())
    if arguments.record:
        record(soaked, arguments.at_once)
    return 0


def soak(stack: EmbeddedStack, seconds: float, at_once: int, seed: int) -> Soaked:
    """Let people use a stack in bad weather, then in good weather until all is over.

    Raises BrokenPromiseError.
    """
    assert stack.agora is not None
    # Channel events would only cost the recordings their time: nothing here records by them.
    stack.agora.world.rtc_notifier.receiver.url = None
    forecast = stack.emulator.forecast
    troubles = Troubles(stack.agora.world, seed)
    with Pulse() as pulse:
        people = People(Api(stack.facts), seed, at_once)
        witness = Witness(stack, people, pulse)
        weather(seed).write(forecast)
        troubles.begin()
        people.begin(witness)
        try:
            witness.wait(seconds, lambda: tells(witness, people))
        finally:
            forecast.unlink()
            troubles.end()
            people.end()
        began = time.monotonic()
        witness.wait(_CALM_S / stack.speed, people.are_done)
        if people.failures:
            raise people.failures[0]
        people.stop_every_recording()
        witness.wait(_CALM_S / stack.speed, witness.is_calm)
        calm_s = time.monotonic() - began
        witness.look_at_everything()
    return figures(stack, witness, people, troubles, Soaked(seconds, stack.speed, seed), calm_s)


def tells(witness: Witness, people: People) -> bool:
    """Tell how far it has come, now and then; return whether the people can go on no more."""
    if witness.looks % _TOLD == 0:
        row = f"{len(witness.sight.ever):,} recordings, {witness.at_once} at a time"
        print(f"{row}, {witness.writes:,} writes …", file=sys.stderr, flush=True)
    return bool(people.failures)


def weather(seed: int) -> Forecast:
    """Return the weather of a soak."""
    return Forecast(
        seed=seed,
        throttled=0.02,
        failed=0.02,
        answer_lost=0.02,
        slow=0.03,
        kill_every_s=3,
        restart_every_s=10,
        most_again=40,
    )


def figures(
    stack: EmbeddedStack,
    witness: Witness,
    people: People,
    troubles: Troubles,
    soaked: Soaked,
    calm_s: float,
) -> Soaked:
    """Fill in the figures of a soak."""
    assert stack.agora is not None
    sight = witness.sight
    soaked.recordings = len(sight.ever)
    soaked.most_at_once = witness.most_at_once
    soaked.statuses = Counter(
        row.status if row.status == "completed" else f"{row.status}: {row.end_reason}"
        for row in sight.rows.values()
    )
    soaked.deleted = len(sight.deleted)
    soaked.sessions = len(sight.agora.sessions)
    soaked.notifications = len(stack.agora.world.notifier.sent)
    soaked.api = people.calls
    soaked.agora_calls = len(stack.agora.gateway.calls)
    soaked.most_calls_a_second = witness.most_calls_a_second
    soaked.writes, soaked.looks = witness.writes, witness.looks
    soaked.calm_s = calm_s
    with stack.emulator.calls.open("rb") as calls:
        soaked.calls = sum(b":assumed-role/" in line for line in calls)
    faults = [json.loads(line) for line in stack.emulator.faults.read_text().splitlines()]
    soaked.faults = troubles.counts + Counter(_family(each) for each in faults)
    return soaked


def _family(fault: dict[str, Any]) -> str:
    """Return what a fault of AWS befell, and how."""
    kind: str = fault["kind"]
    if kind.startswith("killed"):
        return f"process: {kind}"
    if kind == "stream restarted":
        return "stream: read again from an earlier record"
    if fault["who"] == "the state machine":
        return f"task of Step Functions: {kind}"
    return f"call to AWS: {kind}"


def record(soaked: Soaked, at_once: int) -> None:
    """Keep the figures, and write them into the page that has them."""
    head = (
        f"{soaked.seconds:.0f} seconds, {at_once} at a time, at {soaked.speed:g} times the speed|"
    )
    Page("reliability.md").fill("soak", table(head, soaked.rows))
    row = {"unit": "", "n": soaked.recordings, "seconds": soaked.seconds, "at_once": at_once}
    keep(
        {
            "soak_faults": {
                **row,
                "value": soaked.faults.total(),
                "kinds": dict(sorted(soaked.faults.items())),
                "statuses": dict(sorted(soaked.statuses.items())),
                "calls_to_aws": soaked.calls,
                "calm_s": round(soaked.calm_s),
            }
        }
    )


if __name__ == "__main__":
    sys.exit(main())
