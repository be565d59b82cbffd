"""Who may use the console: the browser that was given its address, on this machine, and no page
of another origin.

A page of anywhere may send requests to a port of this machine, and a name of anywhere may lead to
it (DNS rebinding). So each request must name the console's own host; one that changes something
must come from the console's own origin; and all must bring the token. The token is in the address
that is printed: the first open puts it into a cookie that no script can read.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"
_SAFE_METHODS = frozenset({"GET", "HEAD"})
# What a page may load: its own files, and the player's own buffers. No inline script, no inline
# style, no frame around it.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer`, browsers would send the origin `null` with forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Door:
    """An ASGI application around another: it refuses who may not come in.

    `port` is where the console is served; `token` opens it.
    """

    def __init__(self, app: App, port: int, token: str = "") -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}" for name in (LOOPBACK, "localhost", "[::1]"))
        self._cookie = f"console-{port}"  # browsers share cookies between ports
        self.token = token or secrets.token_urlsafe(32)
        self._url = f"http://{LOOPBACK}:{port}/"

    def url_of(self, path: str = "") -> str:
        """Return the address of a page for its first open: it holds the token."""
        return f"{self._url}{path}?token={self.token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on; every answer has the headers of safety."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no page opens a WebSocket; what is not accepted is closed
        refusal = self._refusal(scope)
        if refusal:
            await _answer(send, 403, refusal)
            return
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if given and self._is_token(given):
            cookie = f"{self._cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            # The same address without its token; two slashes would lead to another host.
            where = "/" + scope["raw_path"].decode("latin-1").lstrip("/")
            await _answer(send, 303, "", {"Location": where, "Set-Cookie": cookie})
            return
        if not self._is_token(self._kept(scope)):
            await _answer(
                send, 403, "Open the whole address that the console printed: its token is missing."
            )
            return

        async def send_safely(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in _encoded(HEADERS) if name not in own),
                ]
            await send(message)

        await self._app(scope, receive, send_safely)

    def _refusal(self, scope: Scope) -> str:
        """Return why a request is refused whatever token it brings; "" if it is not."""
        hosts = _headers(scope, b"host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "The console answers only under its own address on this machine."
        origins = _headers(scope, b"origin")
        is_change = scope["method"] not in _SAFE_METHODS
        if origins and origins != [f"http://{hosts[0]}"]:
            return "A page of another origin may not use the console."
        if is_change and not origins:
            return "Only the console's own pages may change something."
        sites = _headers(scope, b"sec-fetch-site")
        if is_change and sites and sites != ["same-origin"]:
            return "Only the console's own pages may change something."
        return ""

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())

    def _kept(self, scope: Scope) -> str:
        try:
            found = SimpleCookie("; ".join(_headers(scope, b"cookie"))).get(self._cookie)
        except CookieError:
            return ""
        return found.value if found else ""


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def _answer(
    send: Send, status: int, text: str, headers: dict[str, str] | None = None
) -> None:
    kind = {"Content-Type": "text/plain; charset=utf-8"}
    start = _encoded({**kind, **HEADERS, **(headers or {})})
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": text.encode()})
