"""The pages: which address shows what. Each function takes a request, and makes one call or two."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from botocore.exceptions import BotoCoreError, ClientError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from agora_recording.errors import (
    MediaNotFoundError,
    RecordingError,
    RecordingNotFoundError,
)
from agora_recording.recording.view import public
from operate.console import acts, fleet, health, lanes, links, picture, player, recordings, words
from operate.console.desk import Desk

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / ".tools" / "console" / "node_modules"
# What a page loads, by name: the console's own files, and the two scripts that `make` installs.
ASSETS = {
    "console.css": HERE / "static" / "console.css",
    "console.js": HERE / "static" / "console.js",
    "favicon.svg": HERE / "static" / "favicon.svg",
    "htmx.js": SCRIPTS / "htmx.org" / "dist" / "htmx.min.js",
    "hls.js": SCRIPTS / "hls.js" / "dist" / "hls.light.min.js",
}
_MOST_BODY = 300 * 1024
_NUMBER = re.compile(r"-?[0-9]{1,16}")
Form = dict[str, str]


def app(desk: Desk) -> Starlette:
    """Return the console's pages as an ASGI application, without its door (safety.py)."""
    pages = Pages(desk)
    get, post = pages.get, pages.post
    return Starlette(
        routes=[
            get("/", pages.fleet),
            get("/fleet/running", pages.running),
            get("/fleet/ended", pages.ended),
            get("/search", pages.search),
            get("/start", pages.start_form),
            post("/start", pages.start),
            post("/start/check", pages.check),
            get("/recordings/{id}", pages.recording),
            get("/recordings/{id}/state", pages.state),
            get("/recordings/{id}/picture", pages.picture),
            get("/recordings/{id}/timeline", pages.timeline),
            get("/recordings/{id}/files", pages.files),
            get("/recordings/{id}/raw/{what}", pages.raw),
            get("/recordings/{id}/playlist.m3u8", pages.playlist),
            get("/recordings/{id}/media/{name:path}", pages.media),
            post("/recordings/{id}/acts/{act}", pages.act),
            get("/recordings/{id}/links", pages.links),
            post("/recordings/{id}/links", pages.make_link),
            post("/recordings/{id}/links/{link}/revoke", pages.revoke_link),
            get("/health", pages.health),
            post("/health/checks", pages.begin_checks),
            get("/health/checks", pages.checks),
            post("/health/replay", pages.replay),
            post("/health/firewall", pages.firewall),
            get("/static/{name}", _asset),
        ]
    )


@cache
def templates() -> Environment:
    """Return the templates: everything is escaped, and an unknown name is an error."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"lasting": words.lasting, "size": words.size, "moment": words.moment}
    return found


def _asset(request: Request) -> Response:
    path = ASSETS.get(request.path_params["name"])
    if path is None or not path.exists():
        return PlainTextResponse("There is no such file.", 404)
    kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[path.suffix]
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "max-age=3600"})


class Pages:
    """The pages of one stack."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._templates = templates()
        self._round: health.Round | None = None
        self._warnings: dict[str, dict[str, list[str]]] = {}  # of starts, until they are shown

    # --- how a page is answered ---

    def get(self, path: str, page: Callable[[Request], Response]) -> Route:
        """Return the route of a page; Starlette runs it in a thread of its own."""

        def answered(request: Request) -> Response:
            return self._answered(request, lambda: page(request))

        return Route(path, answered, methods=["GET"])

    def post(self, path: str, page: Callable[[Request, Form], Response]) -> Route:
        """Return the route of an act, which is given the form's fields."""

        async def answered(request: Request) -> Response:
            raw = bytearray()
            async for piece in request.stream():
                raw += piece
                if len(raw) > _MOST_BODY:
                    return self._refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too long.")
            form = dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
            return await run_in_threadpool(self._answered, request, lambda: page(request, form))

        return Route(path, answered, methods=["POST"])

    def _answered(self, request: Request, make: Callable[[], Response]) -> Response:
        try:
            return make()
        except (RecordingNotFoundError, MediaNotFoundError) as error:
            return self._refuse(request, HTTPStatus.NOT_FOUND, str(error))
        except RecordingError as error:
            return self._refuse(request, HTTPStatus.CONFLICT, str(error))
        except (ClientError, BotoCoreError, OSError) as error:
            return self._refuse(request, HTTPStatus.BAD_GATEWAY, f"AWS does not answer: {error}")

    def _refuse(self, request: Request, status: HTTPStatus, sentence: str) -> Response:
        if "hx-request" in request.headers:
            # htmx shows only what succeeds; a part of the page says what is wrong in its place.
            return self._html("refusal.html", sentence=sentence)
        return self._page(request, "error.html", status=status, sentence=sentence)

    def _html(self, name: str, **values: Any) -> Response:
        text: str = self._templates.get_template(name).render(**values)
        return HTMLResponse(text)

    def _page(
        self, request: Request, name: str, status: int = HTTPStatus.OK, **values: Any
    ) -> Response:
        stack = self._desk.stack
        text: str = self._templates.get_template(name).render(
            here=request.url.path,
            stack=stack.name,
            where="on this machine" if self._desk.is_local else stack.region,
            **values,
        )
        return HTMLResponse(text, status)

    # --- the fleet ---

    def fleet(self, request: Request) -> Response:
        """Show what runs, by risk, and what ended today."""
        after = request.query_params.get("after", "")
        found = fleet.running(self._desk, fleet.read_place(after))
        return self._page(
            request, "fleet.html", running=found, after=after, ended=fleet.ended(self._desk)
        )

    def running(self, request: Request) -> Response:
        """Show the part of the page with what runs."""
        after = request.query_params.get("after", "")
        found = fleet.running(self._desk, fleet.read_place(after))
        return self._html("running.html", running=found, after=after)

    def ended(self, _: Request) -> Response:
        """Show the part of the page with what ended today."""
        return self._html("ended.html", ended=fleet.ended(self._desk))

    def search(self, request: Request) -> Response:
        """Show what a search found."""
        text, after = request.query_params.get("q", ""), request.query_params.get("after", "")
        found = fleet.search(self._desk, text, after)
        if found.read == 1 and len(found.rows) == 1 and not after:
            return RedirectResponse(f"/recordings/{found.rows[0]['recordingId']}", 303)
        following = urlencode({"q": text, "after": found.following}) if found.following else ""
        return self._page(request, "search.html", q=text, found=found, following=following)

    # --- one recording ---

    def recording(self, request: Request) -> Response:
        """Show one recording: its state, its picture, its player, its files."""
        desk = self._desk
        row = recordings.read(desk, request.path_params["id"])
        asked = "look" in request.query_params
        found = recordings.catalogue(desk, row, asked=asked)
        return self._page(
            request,
            "recording.html",
            **self._state(row),
            sessions=recordings.sessions(desk, row),
            sources=player.sources(row, found),
            looked=found is not None,
            lives=links.LIVES,
            choices=links.choices(found),
            findings=found.manifest.findings.items if found else (),
            timeline=recordings.words(desk, row),
            warnings=self._warnings.pop(row.recording_id, {}),
        )

    def state(self, request: Request) -> Response:
        """Show the part of the page that says how far the recording is."""
        row = recordings.read(self._desk, request.path_params["id"])
        return self._html("state.html", **self._state(row))

    def _state(self, row: Any) -> dict[str, Any]:
        now = self._desk.now_ms()
        seen = row.last_seen_ms
        return {
            "recording": public(row),
            "isOver": row.is_terminal,
            "isMix": row.mode == "mix",
            "seen": words.lasting(now - seen) if seen else "",
            "lasted": words.lasting((row.ended_ms or now) - (row.started_ms or row.created_ms)),
        }

    def picture(self, request: Request) -> Response:
        """Draw the picture of a window of time."""
        desk = self._desk
        row = recordings.read(desk, request.path_params["id"])
        asked = request.query_params
        whole = recordings.whole(desk, row)
        of = picture.window(
            whole, _number(asked, "from"), _number(asked, "to"), _number(asked, "width") or 960
        )
        known = recordings.known(desk, row, of)
        base = f"/recordings/{row.recording_id}/picture?"
        buttons = {
            name: base + urlencode(picture.query(each))
            for name, each in picture.moves(whole, of).items()
        }
        return self._html(
            "picture.html",
            svg=picture.draw(lanes.lanes(known), of, f"The recording of {row.cname}"),
            buttons=buttons,
            of=of,
            base=base,
            whole=whole,
            isWhole=of[:2] == whole,
            isOver=row.is_terminal,
            span=words.lasting(of.span_ms),
            begun=words.clock_of(of.from_ms),
            counts=lanes.facts_in_words(known),
        )

    def timeline(self, request: Request) -> Response:
        """Show the next page of the timeline in words."""
        row = recordings.read(self._desk, request.path_params["id"])
        first = max(_number(request.query_params, "first") or 0, 0)
        told = recordings.words(self._desk, row, first)
        return self._html("timeline.html", timeline=told, recording=public(row))

    def files(self, request: Request) -> Response:
        """Show a page of the files."""
        recording_id = request.path_params["id"]
        cursor = request.query_params.get("cursor", "")
        found = recordings.files(self._desk, recording_id, cursor)
        following = urlencode({"cursor": found["cursor"]}) if "cursor" in found else ""
        return self._html(
            "files.html",
            files=found,
            recordingId=recording_id,
            following=following,
            first=not cursor,
        )

    def raw(self, request: Request) -> Response:
        """Answer what a page is made of, as JSON."""
        row = recordings.read(self._desk, request.path_params["id"])
        cursor = request.query_params.get("cursor", "")
        try:
            found = recordings.raw(self._desk, row, request.path_params["what"], cursor)
        except LookupError:
            return self._refuse(request, HTTPStatus.NOT_FOUND, "There is no such page.")
        text = json.dumps(found, indent=2, ensure_ascii=False)
        return Response(text, media_type="application/json")

    def playlist(self, request: Request) -> Response:
        """Answer the playlist of a track."""
        row = recordings.read(self._desk, request.path_params["id"])
        text = player.playlist(self._desk, row, dict(request.query_params))
        return Response(text, media_type="application/vnd.apple.mpegurl")

    def media(self, request: Request) -> Response:
        """Pass on a file of the bucket."""
        row = recordings.read(self._desk, request.path_params["id"])
        asked = request.headers.get("range")
        found = player.media_file(self._desk, row, request.path_params["name"], asked)
        return StreamingResponse(found.body, found.status, found.headers)

    # --- acts ---

    def start_form(self, request: Request) -> Response:
        """Show the form that starts a recording."""
        form = {"mode": request.query_params.get("mode", "mix"), "key": acts.new_key()}
        return self._start_page(request, form, acts.Told({}, {}, ""))

    def start(self, request: Request, form: Form) -> Response:
        """Start a recording; show it, or the form with what is wrong with it."""
        recording_id, told = acts.start(self._desk, form)
        if not recording_id:
            return self._start_page(request, form, told, HTTPStatus.UNPROCESSABLE_ENTITY)
        self._warnings[recording_id] = told.warnings
        return RedirectResponse(f"/recordings/{recording_id}", 303)

    def check(self, _: Request, form: Form) -> Response:
        """Show the form again with what the API would say to it."""
        told = acts.check(self._desk, form)
        return self._html("start_fields.html", **self._fields(form, told))

    def _start_page(
        self, request: Request, form: Form, told: acts.Told, status: int = HTTPStatus.OK
    ) -> Response:
        fields = self._fields(form, told)
        return self._page(request, "start.html", status, **fields)

    def _fields(self, form: Form, told: acts.Told) -> dict[str, Any]:
        mode = form.get("mode", "mix")
        # A token is never written into a page: the browser keeps what was typed.
        kept = {name: text for name, text in form.items() if name != "token"}
        fields = [each for each in acts.FIELDS if mode in each.modes]
        return {"fields": fields, "form": kept, "told": told}

    def act(self, request: Request, form: Form) -> Response:
        """Do one act upon a recording; show what came of it, and the recording."""
        desk, recording_id = self._desk, request.path_params["id"]
        recordings.read(desk, recording_id)
        match request.path_params["act"]:
            case "stop":
                done = acts.stop(desk, recording_id)
            case "layout":
                done = acts.change_layout(desk, recording_id, form)
            case "verify":
                done = acts.verify(desk, recording_id, publish=False)
            case "publish":
                done = acts.verify(desk, recording_id, publish=True)
            case "delete":
                done = acts.delete(desk, recording_id)
            case _:
                return self._refuse(request, HTTPStatus.NOT_FOUND, "There is no such act.")
        return self._html("done.html", done=done)

    # --- links ---

    def make_link(self, request: Request, form: Form) -> Response:
        """Make a link, and show its address this once."""
        recording_id = request.path_params["id"]
        recordings.read(self._desk, recording_id)
        made = links.make(self._desk, recording_id, form)
        response = self._html("link_made.html", made=made)
        if made.url:
            response.headers["HX-Trigger"] = "link-made"  # the list is read again
        return response

    def links(self, request: Request) -> Response:
        """Show the links that open something."""
        return self._links(request.path_params["id"])

    def revoke_link(self, request: Request, _: Form) -> Response:
        """Take a link back; show those that are left."""
        recording_id = request.path_params["id"]
        recordings.read(self._desk, recording_id)
        refused = links.revoke(self._desk, recording_id, request.path_params["link"])
        return self._links(recording_id, refused)

    def _links(self, recording_id: str, refused: str = "") -> Response:
        found = links.listed(self._desk, recording_id)
        return self._html("links.html", links=found, recordingId=recording_id, refused=refused)

    # --- health ---

    def health(self, request: Request) -> Response:
        """Show the health of the stack."""
        desk = self._desk
        return self._page(
            request,
            "health.html",
            checks=self._round.shown() if self._round else None,
            alarms=health.alarms(desk),
            queues=health.queues(desk),
            limits=health.limits(desk),
            versions=health.versions(desk),
        )

    def begin_checks(self, _: Request, __: Form) -> Response:
        """Begin a round of the checks, unless one is under way."""
        if self._round is None or self._round.is_over:
            self._round = health.Round(self._desk)
        return self._html("checks.html", checks=self._round.shown())

    def checks(self, _: Request) -> Response:
        """Show how far the round of the checks is."""
        return self._html("checks.html", checks=self._round.shown() if self._round else None)

    def replay(self, _: Request, __: Form) -> Response:
        """Process again what was put aside."""
        told = health.replay(self._desk)
        return self._html("replayed.html", replayed=told, queues=health.queues(self._desk))

    def firewall(self, _: Request, __: Form) -> Response:
        """Show what the next refresh of the firewall would do."""
        return self._html("firewall.html", firewall=health.firewall(self._desk))


def _number(asked: Mapping[str, str], name: str) -> int | None:
    text = asked.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else None
