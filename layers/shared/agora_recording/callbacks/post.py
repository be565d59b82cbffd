"""Sends one call: to an address that was checked, with a bound on time and on bytes.

Redirects are not followed, and of the answer only the head is read.
"""

from __future__ import annotations

import contextlib
import email.utils
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from agora_recording.callbacks.address import Place, is_public

TIME_OUT_S = 15.0  # Standard Webhooks: 15 to 30 s
MAX_HEAD = 16_384  # bytes of an answer that are read, at most
_RETRY_MOST_S = 86_400

Resolve = Callable[[str, int], Sequence[str]]
Wrap = Callable[[socket.socket, str], socket.socket]


class Reply(NamedTuple):
    """The HTTP status; None if there was no answer, with the reason in words.

    `retry_s` is the answer's Retry-After in seconds, a day at most.
    """

    status: int | None
    reason: str = ""
    retry_s: int | None = None


class Poster:
    """Posts. `resolve` returns the addresses of a name; `wrap` puts TLS around a connection.

    `monotonic` is a clock in seconds, `now_s` tells the present for a Retry-After that is a date.
    """

    def __init__(
        self,
        *,
        resolve: Resolve | None = None,
        wrap: Wrap | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
        time_out_s: float = TIME_OUT_S,
    ) -> None:
        self._resolve = resolve or addresses_of
        self._wrap = wrap or with_tls
        self._monotonic = monotonic
        self._now_s = now_s
        self._time_out_s = time_out_s

    def post(self, place: Place, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a call; return what was answered. Raises nothing that a receiver can cause."""
        end = self._monotonic() + self._time_out_s
        try:
            address = self._address(place)
            if address is None:
                return Reply(None, "its name leads to an address that is not public")
            with contextlib.closing(self._connect(place, address, end)) as connection:
                connection.settimeout(self._left(end))
                connection.sendall(_request(place, headers, body))
                return self._read(connection, end)
        except TimeoutError:
            return Reply(None, f"no answer in {self._time_out_s:g} s")
        except ssl.SSLError:
            return Reply(None, "its certificate or TLS was not accepted")
        except socket.gaierror:
            return Reply(None, "its name has no address")
        except (OSError, ValueError):
            return Reply(None, "the connection failed")

    def _address(self, place: Place) -> str | None:
        """Return the address to connect to; None unless all that the name has are public.

        The address itself is connected to: a name that is asked a second time may answer otherwise.
        """
        found = self._resolve(place.host, place.port)
        if not found:
            raise socket.gaierror
        return found[0] if place.is_local or all(is_public(each) for each in found) else None

    def _connect(self, place: Place, address: str, end: float) -> socket.socket:
        connection = socket.create_connection((address, place.port), self._left(end))
        if place.is_local:
            return connection
        try:
            connection.settimeout(self._left(end))
            return self._wrap(connection, place.host)
        except BaseException:
            connection.close()
            raise

    def _left(self, end: float) -> float:
        left = end - self._monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _read(self, connection: socket.socket, end: float) -> Reply:
        """Read the head of an answer, byte by byte as it comes, and nothing after it."""
        read = b""
        while True:
            head, mark, rest = read.partition(b"\r\n\r\n")
            if mark and _status(head) is not None and (_status(head) or 0) < 200:
                read = rest  # 100 Continue, 103 Early Hints: the answer follows
                continue
            if mark:
                break
            if len(read) >= MAX_HEAD:
                return Reply(None, f"its answer has a head of more than {MAX_HEAD} bytes")
            connection.settimeout(self._left(end))
            piece = connection.recv(MAX_HEAD - len(read))
            if not piece:
                break
            read += piece
        status = _status(head)
        if status is None:
            return Reply(None, "its answer is not HTTP")
        return Reply(status, retry_s=retry_after(head, self._now_s()))


def _request(place: Place, headers: Mapping[str, str], body: bytes) -> bytes:
    host = f"{place.host}:{place.port}" if place.is_local else place.host
    lines = [
        f"POST {place.path} HTTP/1.1",
        f"host: {host}",
        f"content-length: {len(body)}",
        "connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _status(head: bytes) -> int | None:
    version, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
    digits = rest[:3]
    is_status = version.startswith(b"HTTP/1.") and len(digits) == 3 and digits.isdigit()
    return int(digits) if is_status and int(digits) >= 100 else None


def retry_after(head: bytes, now_s: float) -> int | None:
    """Return the seconds of a Retry-After (a number or a date; RFC 9110), a day at most."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() != b"retry-after":
            continue
        text = value.strip().decode("latin-1")
        if text.isascii() and text.isdigit() and len(text) < 10:
            return min(int(text), _RETRY_MOST_S)
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            at_s = email.utils.parsedate_to_datetime(text).timestamp()
            return max(0, min(round(at_s - now_s), _RETRY_MOST_S))
    return None


def addresses_of(host: str, port: int) -> list[str]:
    """Return every address of a name. Raises socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A scope (fe80::1%eth0) is a part of no public address.
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def with_tls(connection: socket.socket, host: str, authorities: str | None = None) -> socket.socket:
    """Return the connection with TLS; the certificate must be the host's. Raises ssl.SSLError.

    `authorities` is a file of those that are trusted, instead of the system's.
    """
    context = ssl.create_default_context(cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context.wrap_socket(connection, server_hostname=host)
