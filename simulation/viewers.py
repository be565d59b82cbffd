"""Those who watch: each has a link's address, loads its playlist, and some of what that names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from agora_recording.recording.link import token_hash
from functions.play_recording import app as play_recording
from tests.world.api import Context, request

if TYPE_CHECKING:
    from simulation.stack import Stack

HLS = "index.m3u8"
_AGAIN_S = 3
_TRIES = 4  # then a viewer gives up
_LOADED = 2  # slices of a playlist that a viewer loads


class Shown(NamedTuple):
    """A link as the app knows it; times in ms. `number` is that of its recording."""

    number: int
    recording_id: str
    link_id: str
    token: str
    until_ms: int

    @property
    def token_hash(self) -> str:
        """By which the table knows it."""
        return token_hash(self.token)


class View(NamedTuple):
    """One answer to a viewer: to which name of a link, when it was asked for and given (ms).

    `named` are the names that a playlist has, `key` is the object that an address leads to.
    """

    link: Shown
    name: str
    begun_ms: int
    ended_ms: int
    status: int
    named: tuple[str, ...] = ()
    key: str = ""

    @property
    def is_master(self) -> bool:
        """Whether what it names are playlists."""
        return any(".m3u8" in each for each in self.named)


class Viewers:
    """Who has a link. `views` counts the answers that played something."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.views = 0

    def watch(self, link: Shown, name: str = HLS, left: int = _TRIES) -> None:
        """Load what stands at a link; then some of what that names."""
        stack = self._stack
        begun_ms = stack.clock.now_ms
        path, _, query = name.partition("?")
        event = request(
            resource="/play/{token}/{name}",
            recording_id=None,
            parameters={"token": link.token, "name": path},
            query=dict(each.split("=") for each in query.split("&")) if query else None,
        )

        def answered(result: Any) -> None:
            if isinstance(result, dict):
                stack.contract.answered("watch", result)
            if isinstance(result, dict) and result["statusCode"] < 500:
                view = read(link, name, begun_ms, stack.clock.now_ms, result)
                stack.contract.viewed(view)
                self._go_on(view)
            elif left > 1:
                stack.later(_AGAIN_S, self.watch, link, name, left - 1)
            elif stack.luck.is_calm:
                stack.contract.fails("a_link_that_is_open_plays", f"r{link.number}: {result!r}")

        stack.run(
            f"viewer r{link.number}",
            "PlayRecordingFunction",
            partial(play_recording.lambda_handler, event, Context(), player=stack.parts.player),
            answered,
        )

    def _go_on(self, view: View) -> None:
        """Load what a playlist names: all playlists, but only some of the slices."""
        self.views += view.status < 400
        wanted = list(view.named)
        if not view.is_master:
            place = f"viewer r{view.link.number} {view.ended_ms}"
            while len(wanted) > _LOADED:
                wanted.pop(self._stack.luck.number(f"{place} {len(wanted)}", 0, len(wanted) - 1))
        for number, name in enumerate(wanted):
            self._stack.later(1 + 5 * number, self.watch, view.link, name)


def read(link: Shown, name: str, begun_ms: int, ended_ms: int, answer: dict[str, Any]) -> View:
    """Return an answer of the room as a viewer's player understands it."""
    lines = answer["body"].splitlines() if answer["statusCode"] == 200 else []
    named = tuple(unquote(each) for each in lines if each and not each.startswith("#"))
    path = unquote(urlsplit(answer["headers"].get("Location", "")).path)
    key = path[path.find("recordings/") :] if path else ""
    return View(link, name, begun_ms, ended_ms, answer["statusCode"], named, key)
