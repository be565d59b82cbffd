"""A story: what people do, and what goes wrong. It can be told again, and be made shorter."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Literal, NamedTuple

from simulation.receiver import ELSEWHERE, URL

Mode = Literal["mix", "individual", "raw", "web"]
Deed = Literal[
    "create",  # the app asks for a recording, until it is accepted
    "stop",
    "update",
    "link",
    "revoke",
    "watch",  # somebody opens the first link of a recording; with `seconds` of 1, the last
    "delete",
    "leave",  # everybody leaves the channel
    "join",  # the user `seconds` comes into the channel `recording`, which a rule records
    "part",  # that user leaves it
    "rule",  # an operator lets that rule record `seconds` channels at once, at most; 0: none
    "no rule",  # an operator deletes it
    "kill execution",  # an operator ends the execution
    "deploy",  # every function begins anew
    "forbid host",  # a deployment after which no app's host may be called any more
    "no sweeps",  # the sweeper does not come, for so many seconds
    "stuck queue",  # no message is brought, for so many seconds
]


class Act(NamedTuple):
    """Something that somebody does: when (seconds from the beginning), what, to which recording.

    `seconds` is what the deed needs: the longest duration of a recording, how long a link is valid
    (0: longer than the story), or how long a trouble lasts. A recording with a `lead_s` is to begin
    so long after it is asked for, one with a `stop_s` is to stop so long after it begins; `url` is
    where the app is to be called about it.
    """

    at_s: float
    deed: Deed
    recording: int = 0
    seconds: int = 0
    mode: Mode = "mix"
    lead_s: int = 0
    stop_s: int = 0
    url: str = ""


class Story(NamedTuple):
    """What is told: `faults` by their places; None lets chance decide, at `rate`.

    `token_s`: how long the project's tokens are valid, 0 for a project without a certificate.
    `apart_ms` is how far clocks are apart, ours from each other's and Agora's from ours.
    """

    seed: int
    acts: tuple[Act, ...]
    rate: float = 0.0
    token_s: int = 0
    apart_ms: int = 0
    faults: Mapping[str, str] | None = None

    @property
    def recordings(self) -> int:
        """How many recordings somebody asks for."""
        return len({act.recording for act in self.acts if act.deed == "create"})

    def told(self) -> str:
        """Return the story as Python that tells it again."""
        acts = "".join(f"        {act!r},\n" for act in self.acts)
        faults = "".join(f"        {at!r}: {kind!r},\n" for at, kind in (self.faults or {}).items())
        known: dict[str, Any] = {"token_s": self.token_s, "apart_ms": self.apart_ms}
        more = "".join(f"    {name}={value},\n" for name, value in known.items() if value)
        return (
            f"Story(\n    seed={self.seed},\n    acts=(\n{acts}    ),\n{more}"
            f"    faults={{\n{faults}    }},\n)"
        )


_MODES: tuple[Mode, ...] = ("mix", "mix", "individual", "raw", "web")
_LESSONS = 0.3  # of the stories
_URLS = ("", "", "", *[URL] * 6, ELSEWHERE)
_RATES = (0.0, 0.01, 0.03, 0.03, 0.06, 0.06, 0.1, 0.15)


def random_story(seed: int) -> Story:
    """Return the story of a seed: two to five recordings, and what people do with them."""
    random = Random(seed)
    acts: list[Act] = []
    for number in range(1, random.randint(2, 5) + 1):
        begin = round(random.uniform(0, 300), 1)
        longest = random.choice((60, 300, 900, 900, 1500))
        times = random.choice(((0, 0),) * 6 + ((700, 0), (700, 200), (0, 200), (3000, 100)))
        url = random.choice(_URLS)
        acts.append(Act(begin, "create", number, longest, random.choice(_MODES), *times, url))
        if random.random() < 0.15:  # the same request again, with the same key
            acts.append(acts[-1]._replace(at_s=round(begin + random.uniform(0, 60), 1)))
        acts += _deeds(random, number, begin)
    if random.random() < _LESSONS:
        acts += _lesson(random)
    acts += _troubles(random)
    return Story(
        seed=seed,
        acts=tuple(sorted(acts)),
        rate=random.choice(_RATES),
        token_s=random.choice((0, 0, 0, 400, 700)),
        apart_ms=random.choice((0, 0, 40)),
    )


def _deeds(random: Random, number: int, begin: float) -> list[Act]:
    """Return what the app does with one recording, and its users."""

    def later(low: float, high: float) -> float:
        return round(begin + random.uniform(low, high), 1)

    acts = []
    if random.random() < 0.7:
        acts.append(Act(later(0, random.choice((2, 20, 200, 900))), "stop", number))
    if random.random() < 0.1:
        acts.append(Act(later(0, 900), "stop", number))
    if random.random() < 0.3:
        acts.append(Act(later(5, 300), "update", number))
    if random.random() < 0.15:
        acts.append(Act(later(5, 600), "leave", number))
    if random.random() < 0.3:
        acts += _links(random, number, begin)
    if random.random() < 0.25:
        acts.append(Act(later(1200, random.choice((3600, 400_000))), "delete", number))
    return acts


def _links(random: Random, number: int, begin: float) -> list[Act]:
    """Return when a link is made and revoked, and when viewers open it."""
    made = begin + random.uniform(5, random.choice((60, 3000)))
    valid_s = random.choice((0, 0, 300, 4000))
    acts = [Act(round(made, 1), "link", number, valid_s)]
    over = made + (valid_s or random.uniform(10, 4000))
    if random.random() < 0.3:
        acts.append(Act(round(over, 1), "revoke", number))
    if random.random() < 0.2:  # another one, of the same recording
        acts.append(Act(round(made + random.uniform(0, 600), 1), "link", number))
    for _ in range(random.randint(1, 4)):
        at = random.choice((made, made, over)) + random.uniform(0, random.choice((30, 600, 6000)))
        acts.append(Act(round(at, 1), "watch", number, random.choice((0, 0, 1))))
    return acts


def _lesson(random: Random) -> list[Act]:
    """Return who is in the channels that a rule records, and how the rule changes."""
    channels = random.choice(((11,), (12,), (11, 12), (11, 12, 13)))
    acts = [act for channel in channels for act in _visits(random, channel)]
    if random.random() < 0.5:
        acts.append(Act(0, "rule", seconds=random.randint(1, 2)))
    for _ in range(random.choice((0, 0, 1, 2))):
        at = round(random.uniform(0, 2500), 1)
        places = random.randint(0, 3)
        acts.append(Act(at, "rule", seconds=places) if places else Act(at, "no rule"))
        if random.random() < 0.5:
            back = round(at + random.uniform(1, 600), 1)
            acts.append(Act(back, "rule", seconds=random.randint(0, 3)))
    return acts


def _visits(random: Random, channel: int) -> list[Act]:
    """Return who comes into a channel, and leaves it: perhaps several times."""
    acts, begin = [], random.uniform(0, 300)
    for _ in range(random.randint(1, 3)):
        for uid in range(7, 7 + random.randint(1, 3)):
            joins = begin + random.uniform(0, random.choice((5, 100)))
            parts = joins + random.uniform(5, random.choice((30, 300, 1200)))
            acts.append(Act(round(joins, 1), "join", channel, uid))
            acts.append(Act(round(parts, 1), "part", channel, uid))
        begin += random.uniform(100, 2000)
    return acts


def _troubles(random: Random) -> list[Act]:
    """Return what happens to the whole stack."""
    acts = []
    if random.random() < 0.15:
        acts.append(Act(round(random.uniform(5, 1000), 1), "kill execution", random.randint(1, 2)))
    if random.random() < 0.2:
        acts.append(Act(round(random.uniform(5, 1000), 1), "deploy"))
    if random.random() < 0.05:
        acts.append(Act(round(random.uniform(60, 3000), 1), "forbid host"))
    if random.random() < 0.15:
        acts.append(Act(round(random.uniform(0, 900), 1), "no sweeps", seconds=3600))
    if random.random() < 0.15:
        acts.append(Act(round(random.uniform(0, 900), 1), "stuck queue", seconds=1200))
    return acts
