"""`python -m local.agora`: the simulator alone, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from .arguments import count, port, speed, url
from .interrupt import Interrupt
from .options import Options, mistyped
from .server import AgoraSimulator


def main(argv: Sequence[str] | None = None) -> int:
    """Run until told to end; return the exit code."""
    options = _options(argv)
    try:
        simulator = AgoraSimulator(options)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no host name"
        reason = f"it cannot listen on {options.host}:{options.port} ({why})"
        print(f"The Agora simulator could not start: {reason}.", file=sys.stderr)
        return 1
    over = Interrupt()
    with simulator:
        print(json.dumps({"agora_url": simulator.url}), flush=True)
        over.wait()
    return 0


def _options(argv: Sequence[str] | None) -> Options:
    default = Options()
    parser = argparse.ArgumentParser(
        prog="agora-simulator" if __package__ == "agora_simulator" else "python -m local.agora",
        description="A simulator of Agora Cloud Recording. Prints one JSON line when it is ready.",
        epilog="Secrets may come from AGORA_CUSTOMER_SECRET, AGORA_NOTIFICATION_SECRET and "
        "AGORA_APP_CERTIFICATE, so that no process list shows them. The control API is described "
        "in docs/simulator.md.",
    )
    add = parser.add_argument
    add("--host", default=default.host)
    add("--port", type=port, default=0, help="0 takes any free port (default)")
    add("--speed", type=speed, default=1.0, help="how many times faster Agora's durations pass")
    add("--app-id", default=default.app_id, help="the only App ID accepted; * accepts any")
    add("--customer-id", default=default.customer_id, help="Basic auth user (%(default)s)")
    add(
        "--customer-secret",
        default=os.environ.get("AGORA_CUSTOMER_SECRET", default.customer_secret),
        help="Basic auth password",
    )
    add(
        "--app-certificate",
        default=os.environ.get("AGORA_APP_CERTIFICATE"),
        help="check RTC tokens with this App Certificate; without it, none is checked",
    )
    add("--webhook-url", type=url, help="where notifications go; the control API sets it, too")
    add(
        "--notification-secret",
        default=os.environ.get("AGORA_NOTIFICATION_SECRET", default.notification_secret),
        help="the secret that signs notifications",
    )
    add("--s3-endpoint-url", type=url, help="upload here instead of to AWS")
    add("--qps", type=count, default=default.qps, help="calls a second; 0: no limit (%(default)s)")
    add("--pcw", type=count, default=default.pcw, help="recordings at the same time (%(default)s)")
    add("--seed", type=count, default=0, help="fixes which webhooks are lost or doubled")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="any other option of docs/simulator.md, such as exclusion_spelling='\"unsubscribe\"'",
    )
    add("--log-file", help="append a JSON line for each API call")
    chosen = vars(parser.parse_args(argv))
    if chosen["app_id"] == "*":
        chosen["app_id"] = None
    try:
        chosen |= _further(chosen.pop("set"))
    except ValueError as error:
        parser.error(str(error))
    return Options(**chosen)


def _further(given: Sequence[str]) -> dict[str, Any]:
    """Return options given as NAME=JSON. Raises ValueError if there is no such option."""
    known = {each.name for each in fields(Options)}
    further = {}
    for each in given:
        name, _, text = each.partition("=")
        if name not in known:
            raise ValueError(f"--set: {name} is no option; docs/simulator.md lists them")
        try:
            value = json.loads(text)
        except ValueError:
            raise ValueError(f"--set: {text!r} is not JSON; text needs double quotes") from None
        further[name] = tuple(value) if isinstance(value, list) else value
        if wrong := mistyped(name, further[name]):
            raise ValueError(f"--set: {name} must be {wrong}")
    return further


if __name__ == "__main__":
    sys.exit(main())
