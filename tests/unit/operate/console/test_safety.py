"""Who may use the console, and what no page of it lets in."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tests.world.builders import after, recording, requested, running
from tests.world.console import HOST, PORT, RECORDING_ID, TOKEN, ConsoleWorld, Visitor

SCRIPT = "<script>alert(1)</script>"
QUOTES = "\"'><img src=x onerror=alert(1)>"
PAGES = (
    "/",
    "/fleet/running",
    "/fleet/ended",
    "/search?q=alert",
    "/start",
    "/start?mode=web",
    "/health/checks",
    f"/recordings/{RECORDING_ID}",
    f"/recordings/{RECORDING_ID}/state",
    f"/recordings/{RECORDING_ID}/picture?width=900",
    f"/recordings/{RECORDING_ID}/timeline",
    f"/recordings/{RECORDING_ID}/files",
)


@pytest.fixture
def visitor() -> Visitor:
    """A console with one recording, whose texts are an attacker's."""
    past = running(1, end="DIED", ended_ms=after(300), reason=SCRIPT)
    row = recording(
        cname=SCRIPT,
        tags={QUOTES: SCRIPT, "team": QUOTES},
        reason=QUOTES,
        past_attempts=[past],
        attempt=running(2, uid=QUOTES),
    )
    return Visitor(ConsoleWorld(row, now_ms=after(700)))


def test_the_first_open_gives_the_cookie_and_takes_the_token_out_of_the_address(
    visitor: Visitor,
) -> None:
    page = visitor.get(f"/recordings/{RECORDING_ID}?token={TOKEN}", cookie="")
    assert page.status == 303
    assert page.headers["location"] == f"/recordings/{RECORDING_ID}"
    kept = page.headers["set-cookie"]
    assert kept == f"console-{PORT}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert visitor.get("/", cookie=kept.partition(";")[0]).status == 200


def test_the_token_cannot_lead_to_another_host(visitor: Visitor) -> None:
    page = visitor.get(f"//elsewhere.example.com/?token={TOKEN}", cookie="")
    assert page.status in (303, 403, 404)
    assert not page.headers.get("location", "/").startswith("//")


@pytest.mark.parametrize("cookie", ["", f"console-{PORT}=", f"console-{PORT}=x", "a=b", "\x01"])
@pytest.mark.parametrize("path", ["/", "/static/console.js", f"/recordings/{RECORDING_ID}"])
def test_nothing_is_shown_without_the_token(visitor: Visitor, cookie: str, path: str) -> None:
    page = visitor.get(path, cookie=cookie)
    assert page.status == 403
    assert "token is missing" in page.text


def test_a_wrong_token_opens_nothing(visitor: Visitor) -> None:
    assert visitor.get("/?token=wrong", cookie="").status == 403
    assert visitor.get(f"/?token={TOKEN[:-1]}", cookie="").status == 403
    assert visitor.get("/?token=%C3%A4", cookie="").status == 403


@pytest.mark.parametrize(
    "host", ["evil.example.com", f"evil.example.com:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}"]
)
def test_another_host_is_refused_although_the_cookie_is_right(visitor: Visitor, host: str) -> None:
    page = visitor.get("/", host=host)
    assert page.status == 403
    assert "own address" in page.text


@pytest.mark.parametrize("host", [f"localhost:{PORT}", f"[::1]:{PORT}"])
def test_every_name_of_this_machine_will_do(visitor: Visitor, host: str) -> None:
    assert visitor.get("/", host=host).status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "null", f"https://{HOST}", f"http://localhost:{PORT}"]
)
def test_another_origin_changes_nothing_and_sees_nothing(visitor: Visitor, origin: str) -> None:
    assert visitor.post(f"/recordings/{RECORDING_ID}/acts/stop", origin=origin).status == 403
    assert visitor.get("/", origin=origin).status == 403
    assert visitor.world.called == []
    assert visitor.world.row.stop_reason is None


def test_a_form_without_an_origin_is_refused(visitor: Visitor) -> None:
    page = visitor.ask(
        "POST",
        f"/recordings/{RECORDING_ID}/acts/stop",
        {"host": HOST, "cookie": visitor.cookie},
    )
    assert page.status == 403
    assert visitor.world.called == []


def test_a_form_from_another_site_is_refused(visitor: Visitor) -> None:
    page = visitor.post(f"/recordings/{RECORDING_ID}/acts/stop", sec_fetch_site="cross-site")
    assert page.status == 403


class Markup(HTMLParser):
    """Reads a page as a browser does: its elements, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", PAGES)
def test_what_comes_from_outside_is_text(visitor: Visitor, path: str) -> None:
    page = visitor.get(path)
    assert page.status in (200, 303), page.text
    for tag, attributes in Markup(page.text).elements:
        assert tag not in ("img", "style", "iframe", "object", "base"), tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "script" or (attributes.get("src") or "").startswith("/static/")
        for name in ("src", "href", "action", "hx-get", "hx-post"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), attributes


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(visitor: Visitor) -> None:
    policy = visitor.get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_a_form_that_is_too_long_is_refused(visitor: Visitor) -> None:
    page = visitor.post("/start", {"more": "x" * 400_000})
    assert page.status == 413


def test_a_recording_that_is_not_there_is_a_page_that_says_so(visitor: Visitor) -> None:
    page = visitor.get("/recordings/01HF7YAT0000000000000000ZZ")
    assert page.status == 404
    assert "There is no recording" in page.text
    assert visitor.get("/recordings/..%2f").status == 404


def test_a_token_of_a_channel_is_never_written_into_a_page() -> None:
    visitor = Visitor(ConsoleWorld(requested(), now_ms=after(5)))
    form = {"mode": "mix", "cname": "", "token": "007eJxTheSecretToken"}
    for page in (visitor.post("/start/check", form), visitor.post("/start", form)):
        assert "007eJx" not in page.text
        assert "(the token)" in page.text
