"""Agora's answers, decoded into one type, however they are spelled.

Names, numbers and nested JSON are read by `foreign`. In addition, a body may be wrapped in {"Code":
…, "Body": …}, be empty, or not be JSON (Agora REST: responses; Agora docs: query status, response
status codes).

Files, the state of a page and its CDN outputs are not read from answers: a stop is answered before
the upload is over, and notifications and the bucket have the rest sooner. But only an answer tells
that files are stranded.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agora_recording.foreign import Fields, load

_MOST_TEXT = 300  # characters of Agora's words that are kept
# Bytes of an id: more would not fit into a row beside those of twenty other attempts, nor into a
# key. Agora's resourceIds have less than 1,500, its sids 32.
_MOST_RESOURCE_ID = 4_096
_MOST_SID = 128


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an answer; None if the answer does not have them.

    `code` is Agora's error code; None if there is none (200 and 0 count as none). `status` is that
    of the cloud service, 0 to 8 or 20. `is_stranded`: files wait on Agora's backup, and come
    later (uploadingStatus).
    """

    resource_id: str | None = None
    sid: str | None = None
    code: int | None = None
    reason: str = ""
    status: int | None = None
    is_stranded: bool = False


def decode(body: bytes | None, hide: Callable[[str], str] = str) -> Answer:
    """Decode an answer's body. Never raises: a field that cannot be read is None.

    `hide` takes secrets out of Agora's words. It gets them as they came, before they are folded and
    clipped, and is not called if there are none.
    """
    raw = body or b""
    content = load(raw)
    if not isinstance(content, dict):
        return Answer(reason=_clipped(hide(raw.decode(errors="replace")) if raw else ""))
    outer = Fields(content)
    told = outer | outer.fields("Body")
    server = told.fields("serverResponse")
    code = told.whole("code")
    return Answer(
        resource_id=_id(told.text("resourceId"), _MOST_RESOURCE_ID),
        sid=_id(told.text("sid"), _MOST_SID),
        code=None if code in (0, 200) else code,
        reason=_clipped(hide(words) if (words := _reason(told, server)) else ""),
        status=server.whole("status"),
        is_stranded="stranded" in _uploading_statuses(server),
    )


def _uploading_statuses(server: Fields) -> list[str]:
    """Return the state of the upload: with a page, a service of its own tells it."""
    services = [type(server)(each) for each in server.items("extensionServiceState")]
    places = [server, *(each.fields(name) for each in services for name in ("payload", "playload"))]
    return [(each.text("uploadingStatus") or "").lower() for each in places]


def _reason(told: Fields, server: Fields) -> str:
    """Return Agora's message: it is in `reason`, in `message`, or in the payload of an old 404."""
    payload = server.fields("payload")
    words = told.text("reason") or told.text("message") or payload.text("message")
    return words or ""


def _id(text: str | None, most: int) -> str | None:
    return text if text and len(text.encode(errors="replace")) <= most else None


def _clipped(text: str) -> str:
    return " ".join(text.split())[:_MOST_TEXT]
