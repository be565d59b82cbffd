"""The faults that a rule plans for one recording, from its start to long after its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

T = TypeVar("T")


class PlanError(ValueError):
    """The plan has a name that does not exist, or a value that is not allowed."""


@dataclass(frozen=True)
class Kill:
    """The task dies silently: no webhook, no file, 404 from then on."""

    after_s: float = 0.0


@dataclass(frozen=True)
class Failover:
    """The server dies and another takes over: 404 for `window_s`, then a new uid and `bak<n>_`."""

    after_s: float = 0.0
    window_s: float = 60.0
    new_uid: int | None = None


@dataclass(frozen=True)
class NeverReady:
    """The task stays in this status while it starts."""

    status: int = 2


@dataclass(frozen=True)
class AbnormalExit:
    """The task ends with status 20 and exitStatus 1."""

    after_s: float = 0.0


@dataclass(frozen=True)
class Backup:
    """Slices `first` to `first + slices - 1` go to Agora's backup.

    They arrive `after_s` after event 32. If there is no such slice, the last slice goes.
    """

    first: int = 0
    slices: int = 1
    after_s: float = 60.0


@dataclass(frozen=True)
class Stranded(Backup):
    """As a backup, but without event 32: the upload's status is `stranded`.

    `told`: an asynchronous stop says so, too, although the upload is not over then.
    `told_later`: event 31 follows when the files have been delivered.
    """

    told: bool = True
    told_later: bool = True


@dataclass(frozen=True)
class Reupload:
    """The last playlists come from the backup, `after_s` after the end, under other names."""

    after_s: float = 10.0
    times: int = 1


@dataclass(frozen=True)
class Transcoding:
    """How postponed transcoding or mixing ends, and when.

    `result`: `total_success`, `partial_success`, `failed` or `download_failed`.
    """

    delay_s: float | None = None
    result: str = "total_success"


@dataclass(frozen=True)
class WebStop:
    """The web page recorder stops by itself, with this code of event 71."""

    code: int = 6
    after_s: float = 0.0


@dataclass(frozen=True)
class WebReload:
    """The page is loaded again (event 73)."""

    reason: str = "audio_silence"
    after_s: float = 0.0


@dataclass(frozen=True)
class WebLimit:
    """The page uses what web recording cannot do (event 72), and the recording stops."""

    limit_type: str = "WebGL"
    after_s: float = 0.0


@dataclass(frozen=True)
class CdnStatus:
    """The CDN outputs change to this status (event 100)."""

    status: str = "disconnected"
    after_s: float = 0.0


@dataclass(frozen=True)
class RecorderError:
    """An error (event 1) that does not end the recording."""

    after_s: float = 0.0
    level: int = 4
    module: int = 0
    code: int = 0


@dataclass(frozen=True)
class TokenExpired:
    """The storage's temporary credentials are reported as expired (event 34)."""

    after_s: float = 0.0


@dataclass(frozen=True)
class Plan:
    """The whole plan. Every part may also be given as `true`, except the four plain values."""

    kill: Kill | None = None
    failover: tuple[Failover, ...] = ()
    never_ready: NeverReady | None = None
    abnormal_exit: AbnormalExit | None = None
    backup: Backup | None = None
    stranded: Stranded | None = None
    reupload: Reupload | None = None
    transcoding: Transcoding = field(default_factory=Transcoding)
    web_stop: WebStop | None = None
    web_reload: WebReload | None = None
    web_limit: WebLimit | None = None
    cdn_status: CdnStatus | None = None
    error: RecorderError | None = None
    token_expired: TokenExpired | None = None
    nobody_published: bool = False
    sid_lost: bool = False
    """The start's answer carries no sid."""
    upload_delay_s: float = 0.0
    """How late the last files of the recording arrive."""
    mp4_delay_s: float | None = None
    """How long after the end the MP4 files arrive; event 31 does not wait for them."""

    @classmethod
    def of(cls, action: Mapping[str, Any]) -> Plan:
        """Return the plan in a rule's action. Raises PlanError."""
        parts: dict[str, Any] = {}
        for name, value in action.items():
            if name not in PLAN_FIELDS:
                raise PlanError(f"{name}: no such action")
            kind = _KINDS.get(name)
            if kind is None:
                parts[name] = value
            elif name == "failover":
                several = value if isinstance(value, list) else [value]
                parts[name] = tuple(_made(kind, one, name) for one in several)
            else:
                parts[name] = _made(kind, value, name)
        return cls(**parts)


PLAN_FIELDS = frozenset(one.name for one in fields(Plan))
_KINDS: dict[str, type[Any]] = {
    "kill": Kill,
    "failover": Failover,
    "never_ready": NeverReady,
    "abnormal_exit": AbnormalExit,
    "backup": Backup,
    "stranded": Stranded,
    "reupload": Reupload,
    "transcoding": Transcoding,
    "web_stop": WebStop,
    "web_reload": WebReload,
    "web_limit": WebLimit,
    "cdn_status": CdnStatus,
    "error": RecorderError,
    "token_expired": TokenExpired,
}


def _made(kind: type[T], value: Any, name: str) -> T:
    if value is True:
        return kind()
    if not isinstance(value, Mapping):
        raise PlanError(f"{name}: must be true or an object")
    try:
        return kind(**value)
    except TypeError:
        known = ", ".join(one.name for one in fields(kind))  # type: ignore[arg-type]
        raise PlanError(f"{name}: takes {known}") from None
