"""`python -m local up|down|status|logs|env|ports`: the embedded stack from the command line."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from local import envfile
from local.errors import StackError
from local.home import REPO, Home
from local.stack import Stack

NOT_READY = 3


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, says in (
        ("up", "start what does not run, and wait until all is ready"),
        ("down", "stop everything, and wait until it is gone"),
        ("status", f"one line for each part; exit code {NOT_READY} unless all are ready"),
        ("logs", "the end of the logs"),
        ("env", "print the variables of stack.env as shell exports"),
    ):
        command = commands.add_parser(name, help=says, description=says)
        default = Path(os.environ.get("TESTENV_HOME") or REPO / ".local")
        command.add_argument("--home", type=Path, default=default, help="the stack's folder (default: %(default)s)")
        if name == "up":
            command.add_argument(
                "--free-ports", action="store_true", help="choose free ports, not those of settings.toml"
            )
            command.add_argument("--only", nargs="+", default=[], metavar="NAME", help="start just these parts")
        if name == "logs":
            command.add_argument("parts", nargs="*", metavar="NAME", help="of these parts (default: all)")
            command.add_argument("-f", "--follow", action="store_true", help="go on as they grow")
            command.add_argument("-n", "--lines", type=int, default=40)
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


def _up(options: argparse.Namespace) -> int:
    stack = Stack(options.home)
    stack.up(_say, options.only, options.free_ports)
    return 0


def _down(options: argparse.Namespace) -> int:
    Stack(options.home).down(_say)
    return 0


def _status(options: argparse.Namespace) -> int:
    rows = Stack(options.home).status()
    for row in rows:
        numbers = ",".join(map(str, row.ports)) or "-"
        ready = "ready" if row.ready else "-"
        _say(
            f"{row.name:<12} {row.state:<9} {ready:<6} pid {row.pid or '-':<8} port {numbers:<12} {row.remark}".rstrip()
        )
    return 0 if all(row.ready for row in rows) else NOT_READY


def _logs(options: argparse.Namespace) -> int:
    home = Home.at(options.home)
    known = {path.stem: path for path in sorted(home.logs.glob("*.log"))}
    wanted = options.parts or list(known)
    if unknown := sorted(set(wanted) - known.keys()):
        raise StackError(f"no log of {', '.join(unknown)} in {home.logs}; there is {', '.join(known) or 'none yet'}")
    command = [
        "tail",
        f"-n{options.lines}",
        *(["-F"] if options.follow else []),
        *(str(known[name]) for name in wanted),
    ]
    os.execvp(command[0], command)


def _env(options: argparse.Namespace) -> int:
    values = envfile.read(options.home.absolute() / "stack.env")
    sys.stdout.write(envfile.render(values, prefix="export "))
    return 0


_COMMANDS = {"up": _up, "down": _down, "status": _status, "logs": _logs, "env": _env}

if __name__ == "__main__":
    sys.exit(main())
