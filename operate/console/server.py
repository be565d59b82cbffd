"""Serves the console on this machine: uvicorn on loopback, behind its door."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn

from operate.console.desk import Desk
from operate.console.pages import app
from operate.console.safety import LOOPBACK, Door

_END_S = 10


class Console:
    """The console of one stack: served from entry to exit, on a port of loopback.

    `port` 0 takes a free one. `address` is what a browser opens first: it holds the token.
    """

    def __init__(self, desk: Desk, port: int = 0) -> None:
        self._socket = socket.create_server((LOOPBACK, port))
        self.port: int = self._socket.getsockname()[1]
        self.door = Door(app(desk), self.port)
        self.address = self.door.url_of()
        # No access log: the first address of it would be the one with the token.
        config = uvicorn.Config(
            self.door,
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="console", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_END_S)
        self._socket.close()


def serve(
    desk: Desk,
    port: int,
    *,
    tell: Callable[[str], object],
    over: threading.Event | None = None,
    opens: bool = True,
) -> None:
    """Serve until `over` is set, or Ctrl-C; a browser opens it if `opens`.

    Raises OSError when the port is taken.
    """
    with Console(desk, port) as console:
        tell(f"The console: {console.address}")
        tell("Ctrl-C ends it. Whoever has this address can act with your credentials.")
        if opens:
            webbrowser.open(console.address)
        try:
            (over or threading.Event()).wait()
        except KeyboardInterrupt:
            tell("")
