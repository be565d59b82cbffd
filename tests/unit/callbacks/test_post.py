"""One call over real sockets on loopback: bounded in time and bytes, never redirected."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agora_recording.callbacks.address import Place
from agora_recording.callbacks.post import Poster, Reply, retry_after, with_tls

BODY = b'{"type": "recording.completed"}'


class Receiver:
    """A server that answers each connection with the same bytes, and keeps what it was sent."""

    def __init__(self, *answers: bytes, stays_open: bool = False) -> None:
        self.answers = answers
        self.stays_open = stays_open
        self.requests: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    @property
    def place(self) -> Place:
        return Place("127.0.0.1", self.listener.getsockname()[1], "/hook", is_local=True)

    def _serve(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        with connection:
            read = b""
            while BODY not in read:
                read += connection.recv(65_536)
            self.requests.append(read)
            try:
                for each in self.answers:
                    connection.sendall(each)
                if self.stays_open:
                    self.ended.wait(10)
            except OSError:
                pass  # the caller has read enough

    def close(self) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):  # a close alone would not end the waiting for a call
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    made: list[Receiver] = []
    yield made
    for each in made:
        each.close()


def post(receivers: list[Receiver], *answers: bytes, time_out_s: float = 5, **how: Any) -> Reply:
    """Send a call to a receiver that answers so."""
    receiver = Receiver(*answers, **how)
    receivers.append(receiver)
    poster = Poster(time_out_s=time_out_s)
    return poster.post(receiver.place, {"webhook-id": "01K-completed"}, BODY)


def test_the_request_has_its_host_length_headers_and_body(receivers: list[Receiver]) -> None:
    assert post(receivers, b"HTTP/1.1 204 No Content\r\n\r\n") == Reply(204)
    (request,) = receivers[0].requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hook HTTP/1.1"
    assert f"host: 127.0.0.1:{receivers[0].place.port}".encode() in lines
    assert f"content-length: {len(BODY)}".encode() in lines
    assert b"webhook-id: 01K-completed" in lines
    assert body == BODY


def test_a_redirect_is_an_answer_and_is_not_followed(receivers: list[Receiver]) -> None:
    other = Receiver(b"HTTP/1.1 200 OK\r\n\r\n")
    receivers.append(other)
    where = f"http://127.0.0.1:{other.place.port}/".encode()
    assert post(receivers, b"HTTP/1.1 302 Found\r\nlocation: " + where + b"\r\n\r\n") == Reply(302)
    metadata = b"HTTP/1.1 307 T\r\nlocation: http://169.254.169.254/latest/meta-data\r\n\r\n"
    assert post(receivers, metadata) == Reply(307)
    assert other.requests == []


def test_a_body_is_not_waited_for(receivers: list[Receiver]) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"
    assert post(receivers, head, stays_open=True) == Reply(200)


def test_early_answers_are_not_the_answer(receivers: list[Receiver]) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    assert post(receivers, early, b"HTTP/1.1 200 OK\r\n\r\n") == Reply(200)


def test_a_head_without_an_end_is_given_up(receivers: list[Receiver]) -> None:
    reply = post(receivers, b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 20_000)
    assert reply.status is None
    assert "head" in reply.reason


def test_a_receiver_that_says_nothing_takes_no_longer_than_allowed(
    receivers: list[Receiver],
) -> None:
    reply = post(receivers, b"HTTP/1.1 2", stays_open=True, time_out_s=0.2)
    assert reply == Reply(None, "no answer in 0.2 s")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http_is_no_answer(receivers: list[Receiver], answer: bytes) -> None:
    assert post(receivers, answer).status is None


def test_nobody_listening_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reply = Poster().post(Place("127.0.0.1", port, "/", is_local=True), {}, BODY)
    assert reply == Reply(None, "the connection failed")


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.7"], ["::1"], ["8.8.8.8", "192.168.0.1"]],
)
def test_a_name_that_leads_inside_is_not_connected_to(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: Any) -> socket.socket:
        raise AssertionError("it was connected to")

    monkeypatch.setattr(socket, "create_connection", connect)
    poster = Poster(resolve=lambda _host, _port: addresses)
    reply = poster.post(Place("rebound.example.com", 443, "/"), {}, BODY)
    assert reply == Reply(None, "its name leads to an address that is not public")


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that answers otherwise the second time is asked only once."""
    asked: list[str] = []
    met: list[Any] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"]

    def connect(address: Any, _time_out: float) -> socket.socket:
        met.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    Poster(resolve=resolve).post(Place("app.example.com", 443, "/"), {}, BODY)
    assert (asked, met) == (["app.example.com"], [("93.184.216.34", 443)])


def test_a_name_without_an_address_is_no_answer() -> None:
    poster = Poster(resolve=lambda _host, _port: [])
    assert poster.post(Place("app.example.com", 443, "/"), {}, BODY).status is None


# --- TLS ----------------------------------------------------------------------------------------


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate for a host, signed by itself; return its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.mark.parametrize(
    ("host", "is_known", "is_accepted"),
    [
        ("app.example.com", True, True),
        ("evil.example.com", True, False),
        ("app.example.com", False, False),
    ],
)
def test_the_certificate_must_be_of_the_host_and_of_a_known_authority(
    host: str, is_known: bool, is_accepted: bool, tmp_path: Path
) -> None:
    file, key = certificate(tmp_path, "app.example.com")
    trusted = str(file) if is_known else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    named: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with context.wrap_socket(theirs, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            theirs.close()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    ours.settimeout(5)
    try:
        if is_accepted:
            with_tls(ours, host, trusted).close()
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                with_tls(ours, host, trusted)
    finally:
        ours.close()
        server.join(10)
    assert named == [host]


# --- Retry-After --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("120", 120), ("0", 0), ("999999999", 86_400), ("-1", None), ("soon", None)),
        *(("Thu, 01 Jan 1970 00:02:00 GMT", 20), ("Thu, 01 Jan 1970 00:00:00 GMT", 0)),
    ],
)
def test_retry_after_is_a_number_or_a_date_and_a_day_at_most(
    value: str, seconds: int | None
) -> None:
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {value}".encode()
    assert retry_after(head, now_s=100) == seconds
