"""What a check is, and how checks are made: side by side, each after those that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.errors import RecordingError

if TYPE_CHECKING:
    from operate.doctor.patient import Patient

State = Literal["green", "red", "skipped"]

_AT_ONCE = 8
# How AWS says that the operator may not do something (each service has its own word).
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"}
)


class UnhealthyError(Exception):
    """A check found something wrong. `advice` replaces the check's own, if it knows better."""

    def __init__(self, said: str, advice: str = "") -> None:
        self.advice = advice
        super().__init__(said)


class NotCheckedError(Exception):
    """A check cannot be made here; the message is the reason."""


class Check(NamedTuple):
    """One check. `look` returns what it saw, in a sentence.

    It raises UnhealthyError, or NotCheckedError. `catches` says what it finds out, `advice` what to
    do when it is red; `needs` names the checks without which it says nothing.
    """

    name: str
    catches: str
    advice: str
    look: Callable[[Patient], str]
    needs: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """The result of a check.

    `said` is what was seen, `catches` what the check finds out, `advice` what to do (red only).
    """

    name: str
    state: State
    said: str
    catches: str
    advice: str = ""


def examine(checks: Sequence[Check], patient: Patient) -> Iterator[Finding]:
    """Yield the finding of every check, as soon as it is known.

    A check whose needs are not green is skipped. A check never raises.
    """
    found: dict[str, Finding] = {}
    waiting = list(checks)
    running: dict[Future[Finding], Check] = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="doctor") as pool:
        while waiting or running:
            for check in list(waiting):
                if all(need in found for need in check.needs):
                    waiting.remove(check)
                    running[pool.submit(_make, check, found, patient)] = check
            if not running:
                names = ", ".join(check.name for check in waiting)
                raise ValueError(f"These checks need each other, or one that is not there: {names}")
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                del running[done]
                finding = done.result()
                found[finding.name] = finding
                yield finding


def few(names: Sequence[str], most: int = 3, between: str = ", ") -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def _make(check: Check, found: Mapping[str, Finding], patient: Patient) -> Finding:
    state, said, advice = _look(check, found, patient)
    return Finding(check.name, state, said, check.catches, advice)


def _look(check: Check, found: Mapping[str, Finding], patient: Patient) -> tuple[State, str, str]:
    for need in check.needs:
        if found[need].state != "green":
            return "skipped", f"It needs {need}, which is {found[need].state}.", ""
    try:
        return "green", check.look(patient), ""
    except NotCheckedError as reason:
        return "skipped", str(reason), ""
    except UnhealthyError as error:
        return "red", str(error), error.advice or check.advice
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _DENIED:
            return "skipped", f"Your rights do not allow {error.operation_name}.", ""
        return "red", str(error), check.advice
    except (BotoCoreError, RecordingError, OSError) as error:
        return "red", f"{type(error).__name__}: {error}", check.advice
    except Exception as error:  # a fault of the check itself must not hide the others
        return "red", f"The check itself failed ({type(error).__name__}: {error}).", check.advice
