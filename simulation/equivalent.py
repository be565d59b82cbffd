"""Changes that mutmut makes and that nothing can notice, each with the reason.

They are known by what they change, not by mutmut's numbers: where the code becomes another, the
judgement ends.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Change(NamedTuple):
    """A change: `where` is the module and the function, the others are lines of code."""

    where: str
    before: str
    after: str


_ENVELOPE = "notifications/envelope"
_FIELDS = (
    ('payload = top.fields("payload")', "payload"),
    ('noticeId=_name(top, "noticeId") or _name(top, "notificationId"),', "noticeId"),
    ('noticeId=_name(top, "noticeId") or _name(top, "notificationId"),', "notificationId"),
    ('productId=top.whole("productId", least=0),', "productId"),
    ('eventType=top.whole("eventType", least=0),', "eventType"),
    ('notifyMs=top.instant_ms("notifyMs"),', "notifyMs"),
    ('eventMs=payload.instant_ms("sendts") or top.instant_ms("eventMs"),', "sendts"),
    ('eventMs=payload.instant_ms("sendts") or top.instant_ms("eventMs"),', "eventMs"),
    ('sid=_name(payload, "sid") or _name(top, "sid"),', "sid"),
    ('uid=_name(payload, "uid"),', "uid"),
    ('cname=_name(payload, "cname", _LONGEST_CNAME),', "cname"),
    ('sequence=payload.whole("sequence", least=0),', "sequence"),
    ('details=members(payload.value("details")),', "details"),
)
_CODECS = (
    ("raw_body", 'raw = body.encode("utf-8", "surrogatepass")', "utf-8"),
    ("verify", 'digest = "sha256"', "sha256"),
    ("verify", 'digest = "sha1"', "sha1"),
    (
        "verify",
        'claimed = sent.strip().lower().encode("utf-8", "surrogatepass")',
        "utf-8",
    ),
    (
        "_kept",
        'return without_secrets(raw.decode("latin-1")).encode("latin-1", "replace")',
        "latin-1",
    ),
)


def _in_other_case(where: str, line: str, name: str, why: str) -> dict[Change, str]:
    """Return the changes of a name in a line, at each of its places, to another case."""
    found: dict[Change, str] = {}
    at = line.find(f'"{name}"')
    while at >= 0:
        for other in (name.lower(), name.upper()):
            after = line[:at] + f'"{other}"' + line[at + len(name) + 2 :]
            if after != line:
                found[Change(where, line, after)] = why
        at = line.find(f'"{name}"', at + 1)
    return found


# Instants in milliseconds, in lines in which none counts as the beginning of 1970.
_INSTANTS = (
    ("recording/due: _candidate_look", "looked = recording.looked_ms or 0"),
    (
        "recording/due: _late_look",
        "until, looked = recording.late_until_ms, recording.looked_ms or 0",
    ),
    (
        "recording/due: _starting_look",
        "attempt, looked = recording.attempt, recording.looked_ms or 0",
    ),
    ("recording/due: _upload_look", "looked = recording.looked_ms or 0"),
    ("recording/due: next_look", "looked = recording.looked_ms or 0"),
    (
        "recording/due: next_look",
        "answered = max(recording.last_seen_ms or 0, recording.queried_ms or 0)",
    ),
    ("recording/ending: cause", "was_before = (attempt.ended_ms or 0) <= (recording.stop_ms or 0)"),
    ("recording/looking: choose_look", "looked = recording.looked_ms or 0"),
    (
        "recording/observing: _judge_start",
        "is_heard = (recording.last_seen_ms or 0) >= attempt.started_ms",
    ),
)


def _a_millisecond_later(where: str, line: str) -> dict[Change, str]:
    """Return the changes of a line in which none counts as the first millisecond of 1970."""
    places = [match.end() for match in re.finditer(r" or (?=0\b)", line)]
    return {
        Change(where, line, f"{line[:at]}1{line[at + 1 :]}"): "Nothing happened in 1970."
        for at in places
    }


_AGAIN = (
    'return close(replace(row, upload=_published_upload(row, verdict)), status, "", reason, now_ms)'
)
_OPEN_CASE = "files/judge/case: open_case"
_COUNTED = "Only whether there are any is asked."

EQUIVALENT: dict[Change, str] = {
    **{
        Change(
            "files/judge/case: open_case", f"{each} += {more}", f"{each} {sign}= {more}"
        ): _COUNTED
        for each, more in (
            ("session.indexes", "len(stream.indexes)"),
            ("session.snapshots", "series.count"),
            ("session.slices", "series.count"),
            ("case.sessions[file.sid].mpds", "1"),
            ("case.sessions[file.sid].files", "1"),
        )
        for sign in ("", "-")
    },
    **{
        Change(_OPEN_CASE, f"{each} += 1", f"{each} += 2"): _COUNTED
        for each in ("case.sessions[file.sid].mpds", "case.sessions[file.sid].files")
    },
    Change(
        "files/judge/case: open_case",
        "session.formed += 0 if stream.is_guess else len(stream.indexes)",
        "session.formed -= 0 if stream.is_guess else len(stream.indexes)",
    ): _COUNTED,
    Change(
        "files/judge/case: Findings.listed",
        'order = {"error": 0, "awaited": 1, "note": 2}',
        'order = {"error": 0, "awaited": 1, "note": 3}',
    ): "The notes still come last.",
    **{
        Change("files/conclusion: looked_at_again", before, before.replace(*words)): (
            "It has ended already, and its end stays."
        )
        for before in ('changed = close(changed, status, "", reason, now_ms)',)
        for words in (('""', "None"), ('""', '"XXXX"'), ("now_ms", "None"))
    },
    **{
        Change("files/conclusion: published_again", _AGAIN, _AGAIN.replace(*words)): (
            "It has ended already, and its end stays."
        )
        for words in (('""', "None"), ('""', '"XXXX"'), ("now_ms)", "None)"))
    },
    Change(
        "files/conclusion: looked_at_again",
        "is_over = now_ms >= (row.late_until_ms or 0)",
        "is_over = now_ms >= (row.late_until_ms or 1)",
    ): "Who awaits late files knows until when.",
    Change(
        "files/expectation: _session", 'sid = attempt.sid or ""', 'sid = attempt.sid or "XXXX"'
    ): "These attempts have a sid.",
    Change(
        "files/judge/case: _settle",
        "since_ms = max(ended_ms, case.inventory.arrived_ms.get(session.expected.sid, 0))",
        "since_ms = max(ended_ms, case.inventory.arrived_ms.get(session.expected.sid, 1))",
    ): "No session ended in 1970.",
    Change(
        "recording/observing: _judge_start",
        'return end_session(recording, "NOT_CONFIRMED", now_ms)',
        'return end_session(recording, "NOT_CONFIRMED", None)',
    ): "What is given up may still run: it has no instant of its end.",
    Change(
        "recording/hearing: applied",
        "changed = storage_refused(changed, sid, now_ms)",
        "changed = storage_refused(changed, sid, None)",
    ): "What is given up may still run: it has no instant of its end.",
    Change(
        "recording/hearing: applied",
        "changed = recording if number is None else started(recording, sid, now_ms, number=number)",
        "changed = recording if (number is None) and False"
        " else started(recording, sid, now_ms, number=number)",
    ): "No attempt has no number.",
    Change(
        "recording/starting: choose_uid",
        "for step in range(len(used) + 1):",
        "for step in range(len(used) + 2):",
    ): "Of one more than are used, one is free.",
    Change(
        "notifications/facts: _hear",
        "lowest = max(0, highest - _WINDOW + 1)",
        "lowest = max(0, highest - _WINDOW - 1)",
    ): "The higher number has nothing missing below its own window.",
    Change("recording/ending: read_failure", 'message = ""', "message = None"): (
        "Only whether there is one is asked."
    ),
    Change(
        "recording/ending: read_failure",
        'message = str(msgspec.json.decode(caught.get("Cause", "")).get("errorMessage", ""))',
        'message = str(msgspec.json.decode(caught.get("Cause", "XXXX")).get("errorMessage", ""))',
    ): "Neither is JSON.",
    Change(
        "recording/link: new_token",
        'return urlsafe_b64encode(randomness[:TOKEN_BYTES]).decode().rstrip("=")',
        'return urlsafe_b64encode(randomness[:TOKEN_BYTES]).decode().rstrip("XX=XX")',
    ): "Of 32 bytes, the last character stands for four bits: it is never an X.",
    Change(
        "recording/link: token_hash",
        'return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()',
        'return hashlib.sha256(token.encode("UTF-8", "surrogatepass")).hexdigest()',
    ): "Python knows it by its name in any case.",
    Change(
        "recording/adopting: finding",
        "attempt = next((each for each in recording.attempts if each.number == candidate.number),"
        " None)",
        "attempt = next((each for each in recording.attempts if each.number == candidate.number),"
        " )",
    ): "A candidate is of one of the attempts.",
    Change(
        "files/judge/case: recorder_of",
        "return -1 if bak is None else bak",
        "return -2 if bak is None else bak",
    ): ("It is a number that no recorder of Agora's has."),
    Change(
        "notifications/envelope: raw_body",
        "if len(body) > max_bytes * 4 // 3 + 4:  # too large even when decoded",
        "if len(body) > max_bytes * 4 / 3 + 4:  # too large even when decoded",
    ): "A whole number is above both or none.",
    Change(
        "notifications/envelope: source_ip",
        'return last[1:].partition("]")[0]',
        'return last[1:].rpartition("]")[0]',
    ): "An address has one bracket that closes.",
    Change(
        "notifications/envelope: source_ip",
        'return last.partition(":")[0] if last.count(":") == 1 else last',
        'return last.rpartition(":")[0] if last.count(":") == 1 else last',
    ): "There is one colon.",
    Change(
        "notifications/envelope: parse_networks",
        "networks.append(ip_network(cidr, strict=False))",
        "networks.append(ip_network(cidr, strict=None))",
    ): "None is false.",
    **{
        Change("notifications/envelope: _header", "value = headers.get(name)", after): (
            "The search by lower-case names finds it, too."
        )
        for after in ("value = None", "value = headers.get(None)")
    },
    Change(
        "notifications/envelope: from_row",
        "notification = read(body.encode() if isinstance(body, str) else body)",
        "notification = read(body.encode() if (isinstance(body, str)) and False else body)",
    ): "JSON is read from text as from bytes.",
    Change(
        "files/gaps: union",
        "elif run.end_ms > before.end_ms:",
        "elif run.end_ms >= before.end_ms:",
    ): "Of two runs with the same end, the first has begun before; nothing is added.",
    Change("files/gaps: runs_of", "elif end_ms > to_ms:", "elif end_ms >= to_ms:"): (
        "The same end is set again."
    ),
    **{
        Change("files/gaps: runs_of", before, after): "Both are set together, or neither."
        for before, after in (
            (
                "if from_ms is None or to_ms is None or start_ms - to_ms > gap_ms:",
                "if from_ms is None and to_ms is None or start_ms - to_ms > gap_ms:",
            ),
            (
                "if from_ms is not None and to_ms is not None:",
                "if from_ms is not None or to_ms is not None:",
            ),
        )
    },
    Change(
        "agora/token: build",
        'plain = struct.pack("<H", len(signature)) + signature + info',
        'plain = struct.pack("<h", len(signature)) + signature + info',
    ): "A signature always has 32 bytes.",
    Change(
        "callbacks/address: problem_of",
        'def problem_of(url: str, hosts: Collection[str], local_origin: str = "") -> str | None:',
        'def problem_of(url: str, hosts: Collection[str], local_origin: str = "XXXX")'
        " -> str | None:",
    ): "No origin is written without `://`.",
    Change(
        "callbacks/address: place_of",
        'def place_of(url: str, local_origin: str = "") -> Place | None:',
        'def place_of(url: str, local_origin: str = "XXXX") -> Place | None:',
    ): "No origin is written without `://`.",
    Change("callbacks/signing: key_of", 'key = b""', 'key = b"XXXX"'): (
        "A key has 24 bytes at least: both are none."
    ),
    Change(
        "callbacks/message: tried",
        "wait_s = max(WAITS_S[message.tries - 1] * (1 + _JITTER * jitter), retry_s or 0) / speed",
        "wait_s = max(WAITS_S[message.tries - 1] * (1 + _JITTER * jitter), retry_s or 1) / speed",
    ): "No wait is shorter than five seconds.",
}
for _line, _name in _FIELDS:
    EQUIVALENT |= _in_other_case(
        f"{_ENVELOPE}: read", _line, _name, "A field is found by its name in any case."
    )
for _where, _line, _name in _CODECS:
    EQUIVALENT |= _in_other_case(
        f"{_ENVELOPE}: {_where}", _line, _name, "Python knows it by its name in any case."
    )
for _where, _line in _INSTANTS:
    EQUIVALENT |= _a_millisecond_later(_where, _line)
