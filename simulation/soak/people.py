"""The apps that use the stack: each lets one recording live after the other.

A call that was not answered is repeated, as a client does.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from random import Random
from typing import Any, Protocol
from urllib.error import URLError

from agora_recording.clock import from_iso, iso
from agora_recording.recording.model import RANK, TERMINAL
from local.api import Api, Response
from simulation.people import OF_MODE, TOKEN
from simulation.viewers import Shown

_AGAIN_S = (0.5, 3.0)  # between two tries of a call
_TRIES = 40
_LOOK_S = 0.5
_PAUSES_S = (2.0, 20.0)  # between two deeds with a recording
_FEW = 5  # tries of a call that nobody needs
_LOST = 0.03  # how often the client itself loses an answer, and asks again
_MODES = ("mix",) * 10 + ("individual", "raw", "web")
_LIVES_S = (20.0, 100.0)  # from the start to the stop
_PATIENT = 0.85  # part of those who wait until it records
_PATIENCE_S = 120
_LONGEST_S = (3600, 7200, 14_400)  # of a recording, in Agora's own seconds
_SHORT_S = 900  # of one that nobody stops
_STOPPED = 0.85  # part of the recordings that somebody stops
_DELETED = 0.3  # part of the recordings that is deleted
Taken = Callable[[Response], bool]


class Watcher(Protocol):
    """Who must have seen a recording before it is deleted."""

    def may_delete(self, recording_id: str) -> bool:
        """Tell whether a recording's files were seen, and nobody needs them any more."""

    def deleted(self, recording_id: str) -> None:
        """Keep that the API called a recording deleted."""


class People:
    """Everybody who calls the API. Recordings are known by their numbers.

    `accepted` are their ids; `stopped` those whose stop was accepted, `was_over` whether they were
    over then; `links` those that were made, and are to be there; `subscribed` whom the last
    accepted update subscribed to; `contradictions` are answers that cannot both be true. `calls`
    counts the answers by their statuses, 0 for none; `failures` are what no answer explains.
    """

    def __init__(self, api: Api, seed: int, at_once: int) -> None:
        self._api = api
        self._seed = seed
        self._at_once = at_once
        self.accepted: dict[int, str] = {}
        self.stopped: set[int] = set()
        self.was_over: dict[int, bool] = {}
        self.links: dict[int, list[Shown]] = {}
        self.subscribed: dict[int, list[str]] = {}
        self.contradictions: list[str] = []
        self.calls: Counter[int] = Counter()
        self._seen: dict[int, str] = {}  # the last status that an answer showed
        self._kept: set[int] = set()  # nobody deletes these
        self._last = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []

    def begin(self, watcher: Watcher) -> None:
        """Let everybody begin, one after the other: the account takes ten calls a second."""
        for number in range(self._at_once):
            self._go(self._use, number)
        self._go(self._clean_up, watcher)

    def end(self) -> None:
        """Let nobody begin anything new."""
        self._ended.set()

    def are_done(self) -> bool:
        """Tell whether everybody has finished."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop_every_recording(self) -> None:
        """Ask every recording to stop that was not asked yet."""
        for number in sorted(set(self.accepted) - self.stopped):
            self._stop(Random(number), number)

    # --- lives ---

    def _go(self, act: Callable[..., None], *given: Any) -> None:
        def run() -> None:
            try:
                act(*given)
            except BaseException as failure:  # told by whoever waits for the soak
                self.failures.append(failure)

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _use(self, place: int) -> None:
        """Let one recording live after the other."""
        self._ended.wait(place * 0.4)
        while not self._ended.is_set():
            with self._lock:
                self._last += 1
                number = self._last
            chance = Random(f"{self._seed} r{number}")
            is_stopped = chance.random() < _STOPPED
            if self._create(chance, number, is_stopped=is_stopped):
                self._live(chance, number, is_stopped=is_stopped)

    def _live(self, chance: Random, number: int, *, is_stopped: bool) -> None:
        """Use a recording until it is to stop, or is over: so all have one recording at a time."""
        if chance.random() < _PATIENT:
            self._await(chance, number, {"recording", *TERMINAL})
        until = time.monotonic() + chance.uniform(*_LIVES_S)
        deeds = [self._look] * 3
        deeds += [self._update] * (chance.random() < 0.3)
        deeds += [self._link] * (chance.random() < 0.3)
        chance.shuffle(deeds)
        while time.monotonic() < until and self._seen.get(number) not in TERMINAL:
            if self._ended.wait(chance.uniform(*_PAUSES_S)):
                break
            (deeds.pop() if deeds else self._look)(chance, number)
        if is_stopped:
            self._stop(chance, number)
        else:
            self._await(chance, number, TERMINAL)
        if chance.random() >= _DELETED:
            self._kept.add(number)

    def _await(self, chance: Random, number: int, statuses: Collection[str]) -> None:
        """Wait until a recording has one of these statuses, or until patience is over."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and not self._ended.wait(_PAUSES_S[0]):
            self._look(chance, number)
            if self._seen.get(number) in statuses:
                return

    def _clean_up(self, watcher: Watcher) -> None:
        """Delete some of the recordings that are over."""
        done: set[int] = set()
        while not self._ended.wait(_LOOK_S):
            for number, recording_id in list(self.accepted.items()):
                if number in self._kept | done or not watcher.may_delete(recording_id):
                    continue
                if number in self.stopped:  # whoever lives in it has gone
                    done.add(number)
                    if self._delete(Random(f"{self._seed} delete {number}"), number):
                        watcher.deleted(recording_id)

    # --- deeds ---

    def _create(self, chance: Random, number: int, *, is_stopped: bool) -> bool:
        mode = chance.choice(_MODES)
        fields = dict(OF_MODE[mode])
        if mode != "web":
            fields["token"] = TOKEN
        body: dict[str, Any] = {
            "cname": f"room-{number}",
            "mode": mode,
            "clientRequest": fields,
            "maxDurationSeconds": chance.choice(_LONGEST_S) if is_stopped else _SHORT_S,
            "tags": {"n": f"r{number}"},
        }
        if chance.random() < 0.06:
            body["startAt"] = iso(round((time.time() + chance.uniform(10, 30)) * 1000))

        def taken(answer: Response) -> bool:
            if answer.status != 202:
                if answer.status < 500 and answer.status not in (0, 409, 429):
                    self.contradictions.append(f"r{number} was refused: {answer.body}")
                    return True
                return False
            recording_id = answer.body["recordingId"]
            if self.accepted.setdefault(number, recording_id) != recording_id:
                self.contradictions.append(f"one key made two recordings of r{number}")
            return True

        key = {"Idempotency-Key": f"key-{self._seed}-{number}"}
        self._call(chance, "POST", "/recordings", taken, body, key)
        return number in self.accepted

    def _stop(self, chance: Random, number: int) -> None:
        def taken(answer: Response) -> bool:
            if answer.status == 202:
                self.was_over.setdefault(number, answer.body["status"] in TERMINAL)
                self.stopped.add(number)
            return answer.status in (202, 404)

        self._call(chance, "POST", f"/recordings/{self.accepted[number]}/stop", taken)

    def _look(self, chance: Random, number: int) -> None:
        """Read a recording: what an answer shows must never go back."""

        def taken(answer: Response) -> bool:
            if answer.status == 200:
                status = answer.body["status"]
                before = self._seen.get(number, status)
                if RANK[status] < RANK[before]:
                    self.contradictions.append(f"r{number} was {before}, and then {status}")
                self._seen[number] = status
            return answer.status == 200

        self._call(chance, "GET", f"/recordings/{self.accepted[number]}", taken, tries=_FEW)

    def _update(self, chance: Random, number: int) -> None:
        uids = [f"{number}{chance.randint(100, 999)}"]

        def taken(answer: Response) -> bool:
            if answer.status == 200:
                self.subscribed[number] = uids
            return answer.status in (200, 400, 404, 409)

        body = {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": uids}}}
        path = f"/recordings/{self.accepted[number]}"
        self._call(chance, "PATCH", path, taken, body, tries=_FEW)

    def _link(self, chance: Random, number: int) -> None:
        def taken(answer: Response) -> bool:
            if answer.status == 201:
                token = answer.body["url"].rsplit("/", 2)[1]
                link = Shown(
                    number,
                    self.accepted[number],
                    answer.body["linkId"],
                    token,
                    from_iso(answer.body["expiresAt"]),
                )
                self.links.setdefault(number, []).append(link)
            return answer.status in (201, 404, 409)

        path = f"/recordings/{self.accepted[number]}/links"
        self._call(chance, "POST", path, taken, {"expiresInSeconds": 600_000}, tries=_FEW)
        if (made := self.links.get(number)) and chance.random() < 0.3:
            revoked = f"{path}/{made[0].link_id}"
            self._call(chance, "DELETE", revoked, lambda answer: answer.status in (204, 404))

    def _delete(self, chance: Random, number: int) -> bool:
        """Delete a recording; return whether the API says that it is."""
        answers: list[int] = []

        def taken(answer: Response) -> bool:
            answers.append(answer.status)
            return answer.status in (204, 404)

        self._call(chance, "DELETE", f"/recordings/{self.accepted[number]}", taken)
        return bool({204, 404} & set(answers))

    # --- calls ---

    def _call(
        self,
        chance: Random,
        method: str,
        path: str,
        taken: Taken,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        tries: int = _TRIES,
    ) -> None:
        """Call the API until `taken` says that the answer is one."""
        for _ in range(tries):
            try:
                answer = self._api.call(method, path, body, headers)
            except (URLError, OSError):
                answer = Response(0, {}, None)
            self.calls[answer.status] += 1
            if answer.status == 500:
                self.contradictions.append(f"{method} {path} was answered 500: {answer.body}")
            if taken(answer) and chance.random() >= _LOST:
                return
            time.sleep(chance.uniform(*_AGAIN_S))
