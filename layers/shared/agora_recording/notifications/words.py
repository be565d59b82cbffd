"""Agora's numbers in words ("Agora callbacks"), and the keys of errors and warnings in facts."""

from __future__ import annotations

LONGEST = 100  # bytes of a key, or of a text, in facts

# By number: the name in facts, and the words for people.
_MODULES: dict[int | None, tuple[str, str]] = {
    0: ("recorder", "the recorder"),
    1: ("uploader", "the uploader"),
    2: ("service", "the recording service"),
    6: ("web", "the web page recorder"),
}
_BY_NAME = dict(_MODULES.values())
FATAL = 5
"""The highest level of an error: it may have ended the recording."""
STORAGE_REFUSED = "uploader:32"
ERRORS = {
    STORAGE_REFUSED: "the bucket's settings or keys are wrong, so Agora cannot write there",
    "uploader:47": "a file could not be uploaded",
    "uploader:51": "a recorded file could not be processed",
    "service:50": "the upload took too long",
    "service:52": "the service took too long to start",
}
STORAGE_EXPIRED = "uploader:storage_token_expired"
"""The key of event 34, which has no code."""
STORAGE_EXPIRED_WORDS = "The temporary credentials of the storage have expired."
WARNINGS = {
    "uploader:31": "a slice is uploaded to the bucket once more",
    "uploader:32": "a slice is uploaded to Agora's backup instead",
}
_STATUSES: dict[int | None, str] = {
    0: "not started",
    1: "initialised",
    2: "the recorder is starting",
    3: "the uploader is ready",
    4: "the recorder is ready",
    5: "recording",
    6: "stopping",
    7: "stopped",
    8: "about to exit",
    20: "exited abnormally",
}
_LEAVE_BITS = {
    2: "its process was told to end",
    4: "nobody was in the channel",
    16: "it was told to leave",
}


def clipped(text: str, most: int = LONGEST) -> str:
    """Return the beginning of a text: at most so many bytes in UTF-8."""
    return text.encode()[:most].decode(errors="ignore")


def key(*parts: object) -> str:
    """Return a key of a dictionary in the facts; a part that is None is empty."""
    return clipped(":".join("" if part is None else str(part) for part in parts))


def problem_key(module: int | None, code: int | None) -> str:
    """Return the key of an error or a warning, such as `uploader:47`."""
    name, _ = _MODULES.get(module, (module, ""))
    return key(name, code)


def module_words(module: int | str | None) -> str:
    """Return the words for a module of Agora's, given its number or its name in facts."""
    if module is None or module == "":
        return "module unknown"
    if isinstance(module, str):
        return _BY_NAME.get(module, f"module {module}")
    _, words = _MODULES.get(module, ("", f"module {module}"))
    return words


def numbered(noun: str, number: int | str | None) -> str:
    """Return a thing with its number (`Error 47`), or the words for one that came without."""
    return f"{noun} without a number" if number in (None, "") else f"{noun} {number}"


_ABNORMAL = {
    "30": "The uploader started",
    "31": "The upload ended",
    "32": "The upload to Agora's backup ended",
    "40": "The recorder started",
}


def error_words(key: str) -> str:
    """Return the sentence for an error, given its key in the facts."""
    match key.split(":", 2):
        case ["status", event_type, status] if event_type in _ABNORMAL:
            return f"{_ABNORMAL[event_type]} with abnormal status {status}."
        case ["web", "capability_limit", limit]:
            return f"The page uses a feature that cannot be recorded ({limit or 'not named'})."
        case ["transcoder", "download_failed"]:
            return "Agora could not read the files to transcode."
    module, _, code = key.partition(":")
    what = f"{numbered('Error', code)} in {module_words(module)}"
    return f"{what}: {ERRORS.get(key, 'not explained')}."


def service_ended(exit_status: int | None) -> str:
    """Return the sentence for the end of Agora's service; 0 is normal (event 11)."""
    return f"Agora's service ended {'abnormally' if exit_status else 'normally'}."


def recorder_left(leave_code: int | None) -> str:
    """Return why the recorder left its channel: a leaveCode is a sum of reasons (event 41)."""
    return f"The recorder left the channel: {_why_left(leave_code)}."


def _why_left(leave_code: int | None) -> str:
    if leave_code is None:
        return "no reason given"
    if leave_code == 0:
        return "it could not be initialised"
    why = [text for bit, text in _LEAVE_BITS.items() if leave_code & bit]
    return " and ".join(why) if why else f"leave code {leave_code}"


def call_did_not_fit(status: int | None) -> str:
    """Return the sentence for a call that did not fit the service's state (event 3)."""
    state = _STATUSES.get(status, numbered("status", status))
    return f"A call did not fit the state of the service: {state}."


def web_recording_stopped(code: int | None, *told: str | None) -> str:
    """Return why the recording of a page stopped, with Agora's own texts (event 71)."""
    why = ": ".join(part for part in told if part) or "no reason given"
    return f"Web page recording stopped, {numbered('code', code)}: {why}."
