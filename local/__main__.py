"""`python -m local up`, `python -m local demo` and `python -m local rehearse`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

from local import demo, rehearsal
from local.agora.arguments import port, speed, url
from local.agora.interrupt import Interrupt
from local.console import console_of
from local.news import News
from local.screen import Screen
from local.stack import FACTS, EmbeddedStack, EmulatorError

DEFAULT_PORT = 4566
_LOOK_S = 0.2  # between two looks for news


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    arguments = _parser().parse_args(argv)
    screen = Screen()
    try:
        if arguments.command == "demo":
            return demo.run(screen, arguments.speed, arguments.mode, stays=arguments.stay)
        if arguments.command == "rehearse":
            return rehearsal.run(screen)
        return _up(screen, arguments)
    except (EmulatorError, OSError) as error:
        print(error, file=sys.stderr)
    except subprocess.CalledProcessError:
        print(
            "Installing the layer failed; see above. Is the package registry reachable?",
            file=sys.stderr,
        )
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description="Run the stack on this machine, without AWS and Agora. It is what `make demo` "
        'and `make up` run; they pass options on, as in: make up ARGS="--speed 20".',
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything and stay until Ctrl-C")
    up.add_argument("--speed", type=speed, default=1, help="make every wait N times shorter")
    up.add_argument("--port", type=port, default=DEFAULT_PORT, help="the AWS emulator's port")
    up.add_argument("--console-port", type=port, default=0, help="the console's port (a free one)")
    up.add_argument("--quiet", action="store_true", help="do not show what happens")
    up.add_argument("--agora-url", type=url, help="use this Agora instead of the simulator")
    commands.add_parser("rehearse", help="deploy what is built, update it, delete it")
    show = commands.add_parser("demo", help="start, record once, stop")
    show.add_argument(
        "--speed", type=speed, default=demo.SPEED, help="make every wait N times shorter"
    )
    show.add_argument(
        "--mode", choices=sorted(demo.FILES), default="mix", help="Agora's mode of recording"
    )
    show.add_argument(
        "--stay", action="store_true", help="keep it up until Ctrl-C, to see it in the console"
    )
    return parser


def _up(screen: Screen, arguments: argparse.Namespace) -> int:
    over = Interrupt()
    screen.live("starting")
    with (
        EmbeddedStack(
            speed=arguments.speed,
            port=arguments.port,
            agora_url=arguments.agora_url,
            facts_file=FACTS,
        ) as stack,
        console_of(stack.facts, arguments.console_port) as console,
    ):
        screen.line(f"The console: {console.address}")
        screen.step("stack deployed", f"{len(stack.facts['resources'])} resources")
        if stack.dropped:
            screen.line(f"Left out, since the emulator refuses them: {', '.join(stack.dropped)}.")
        shown = ("api_url", "notifications_url", "agora_url", "aws_endpoint_url")
        for name in shown:
            screen.line(f"  {name:<18} {stack.facts[name]}")
        screen.line(
            f"The credentials and all other facts are in {FACTS.relative_to(FACTS.parent.parent)}."
        )
        screen.line("Ctrl-C ends it.")
        if arguments.quiet:
            over.wait()
        else:
            _tell(screen, News(stack.emulator.calls, stack.emulator.requests), over)
    screen.step("stopped")
    return 0


def _tell(screen: Screen, news: News, over: Interrupt) -> None:
    """Show what happens until it is over."""
    screen.line("What happens from now on (--quiet: nothing):")
    while not over.wait(_LOOK_S):
        for each in news.since():
            screen.step(*each)


if __name__ == "__main__":
    sys.exit(main())
