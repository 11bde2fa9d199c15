"""What the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from testenv_cli.watching import coloured

out = Console(width=None if sys.stdout.isatty() else 200)
"""Results. In a pipe or a file no terminal limits a line."""

err = Console(stderr=True)
"""Progress and errors, so that results can be piped."""

_STATES = {"ready": "green", "queued": "yellow", "quarantined": "red", "refused": "red", "destroyed": "dim"}


def print_json(value: Any) -> None:
    """`value` as JSON on standard output, not wrapped."""
    print(json.dumps(value, indent=2))


def print_environments(found: list[dict[str, Any]]) -> None:
    """One row each."""
    if not found:
        out.print("There is no environment. `bin/testenv up` makes one.")
        return
    view = Table(box=None, padding=(0, 1))
    for heading in ("environment", "kind", "owner", "state", "dataset", "code", "ready in", "expires in"):
        view.add_column(heading, no_wrap=heading == "environment")
    for one in found:
        ready = one["ready_in_seconds"]
        view.add_row(
            one["id"],
            one["kind"],
            one["owner"],
            _state(one),
            one["dataset"],
            one["ref"][:12],
            f"{ready} s" if ready is not None else "",
            "" if one["ended_at"] else remaining(one["expires_at"], datetime.now(UTC)),
        )
    out.print(view)


def print_environment(one: dict[str, Any]) -> None:
    """Everything about one but its steps; of those, what is not done."""
    out.print(f"[bold]{one['id']}[/]  {_state(one)}")
    facts = {
        "kind": one["kind"],
        "owner": one["owner"],
        "code": one["ref"],
        "dataset": f"{one['dataset']}, and follows new versions" if one["follows"] else one["dataset"],
        "kept": ", ".join(one["kept"]),
        "ready in": f"{one['ready_in_seconds']} s" if one["ready_in_seconds"] is not None else "",
        "expires in": "" if one["ended_at"] else remaining(one["expires_at"], datetime.now(UTC)),
        "reason": one["reason"] or "",
    }
    for system, settings in one["parts"].items():
        facts[system] = ", ".join(f"{name} {value}" for name, value in settings.items())
    view = Table(box=None, show_header=False, padding=(0, 1))
    for name, value in facts.items():
        if value:
            view.add_row(f"[dim]{name}[/]", str(value))
    out.print(view)
    for event in one["events"]:
        out.print(f"  [dim]{event['at'][:19].replace('T', ' ')}[/] {event['state']:<12} {event['text']}")
    for step in one["steps"]:
        if step["status"] not in ("applied", "void"):
            error = f": {step['error']}" if step["error"] else ""
            out.print(f"  {step['status']:<8} {step['action']} {step['system']} {step['kind']} {step['name']}{error}")
    if one["state"] == "ready":
        out.print(f"Connect: bin/testenv connect {one['id']}")


def print_runs(runs: list[dict[str, Any]]) -> None:
    """Runs of an environment and, of its provisioning, the tasks: what `logs` takes."""
    view = Table(box=None, padding=(0, 1))
    for heading in ("log", "what", "state"):
        view.add_column(heading, no_wrap=heading == "log")
    for run in runs:
        view.add_row(run["log"], run["what"], coloured(run["state"] or ""))
    out.print(view)


def print_findings(found: list[dict[str, Any]]) -> None:
    """What reaping would end, then what it would leave alone; each with its reason and the proof of whose it is."""
    if not found:
        out.print("Nothing is to end, nothing is left over.")
        return
    for one in sorted(found, key=lambda one: (not one["ends"], one["id"])):
        verb = "[red]end[/]  " if one["ends"] else "[dim]leave[/]"
        out.print(f"{verb} [bold]{one['id']}[/] {one['why']}: {escape(one['words'])} [dim]({escape(one['proof'])})[/]")
        for resource in one["resources"]:
            out.print(f"        {resource}", markup=False, highlight=False)


_ANSWERS = {"yes": "bold green", "no": "bold red", "error": "bold yellow"}
_THINGS = {"bad": "red", "warn": "yellow", "good": "green"}
_OUTCOMES = {"passed": "green", "failed": "red", "error": "yellow", "not applicable": "dim"}


def print_verdict(found: dict[str, Any], address: str) -> None:
    """The verdict, the three things to look at, a line for each check, and where the rest stands."""
    style = _ANSWERS[found["answer"]]
    base, head = found["base"]["commit"][:12], found["head"]["commit"][:12]
    out.print(f"[{style}]{found['answer']}[/]  {found['headline']}  [dim]{base} → {head}, {found['dataset']}[/]")
    for thing in found["things"]:
        mark = f"[{_THINGS[thing['state']]}]●[/]"
        out.print(f"  {mark} [bold]{escape(thing['title'])}[/] {escape(thing['text'])}", highlight=False)
    view = Table(box=None, padding=(0, 1))
    for heading in ("check", "outcome", "compared", "findings", "seconds"):
        view.add_column(heading, justify="left" if heading in ("check", "outcome") else "right")
    for verdict in found["verdicts"]:
        measured = verdict["measured"]
        counts = [str(len(verdict[key]) or "") for key in ("ran", "findings")]
        outcome = f"[{_OUTCOMES[verdict['outcome']]}]{verdict['outcome']}[/]"
        view.add_row(verdict["check"], outcome, *counts, f"{measured['seconds']:.1f}" if measured else "")
    if found["verdicts"]:
        out.print(view)
    out.print(f"{found['took']}\nReport: {address}\nRun: {found['url']}", soft_wrap=True, highlight=False)


def print_datasets(found: list[dict[str, Any]]) -> None:
    """One row each."""
    if not found:
        out.print("There is no dataset version. `make up` publishes the seed data.")
        return
    view = Table(box=None, padding=(0, 1))
    for heading in ("version", "", "rows", "records", "files", "age", "stale", "environments"):
        view.add_column(heading, no_wrap=heading == "version")
    for one in found:
        published = "[green]published[/]" if one["published"] else ""
        amounts = (f"{one[name]:,}" for name in ("rows", "records", "files"))
        stale = f"{len(one['stale'])} contracts" if one["stale"] else ""
        view.add_row(one["version"], published, *amounts, one["age"] or "", stale, ", ".join(one["environments"]))
    out.print(view)


def print_dataset(one: dict[str, Any]) -> None:
    """What a version holds, store by store."""
    manifest = one["manifest"]
    out.print(f"[bold]{one['version']}[/]  {'[green]published[/]' if one['published'] else ''}")
    view = Table(box=None, show_header=False, padding=(0, 1))
    for store in ("postgres", "snowflake"):
        for table, rows in sorted(manifest[store].items()):
            view.add_row(f"[dim]{store}[/]", table, f"{rows:,} rows")
    for topic in manifest["topics"]:
        view.add_row("[dim]kafka[/]", topic["name"], f"{topic['records']:,} records")
    for path, digest in sorted(manifest["files"].items()):
        view.add_row("[dim]s3[/]", path, f"[dim]{digest[:12]}[/]")
    out.print(view)
    if manifest["about"]:
        out.print(manifest["about"], markup=False)
    if one["stale"]:
        age = f"{one['age']} old" if one["age"] else "of no snapshot of production"
        out.print(f"It is {age}: too old for {', '.join(one['stale'])}.")
    if one["environments"]:
        out.print(f"Environments: {', '.join(one['environments'])}")


def print_dataset_changes(found: dict[str, Any]) -> None:
    """What differs, a line each: gone, new, or another."""
    if not found["changes"]:
        out.print(f"{found['before']} and {found['after']} hold the same.")
        return
    view = Table(box=None, padding=(0, 1))
    for heading in ("part", "name", found["before"], found["after"]):
        view.add_column(heading)
    for one in found["changes"]:
        view.add_row(one["part"], one["name"], one["was"] or "[dim]none[/]", one["now"] or "[dim]none[/]")
    out.print(view)


def print_tapes(found: list[dict[str, Any]]) -> None:
    """One row each."""
    if not found:
        out.print("There is no tape set. Trigger record_tapes, or wait for the night.")
        return
    view = Table(box=None, padding=(0, 1))
    for heading in ("tapes", "", "recorded", "topics", "records", "environments"):
        view.add_column(heading, no_wrap=heading in ("tapes", "recorded"))
    for one in found:
        current = "[green]current[/]" if one["current"] else ""
        amounts = (str(len(one["topics"])), f"{sum(one['topics'].values()):,}")
        recorded = one["recorded_at"][:16].replace("T", " ")
        view.add_row(one["name"], current, recorded, *amounts, ", ".join(one["environments"]))
    out.print(view)


def remaining(expires_at: str | None, now: datetime) -> str:
    """Time left until an ISO 8601 time, in the two largest units: `2 d 3 h`."""
    if not expires_at:
        return "no end"
    minutes = int((datetime.fromisoformat(expires_at) - now).total_seconds() // 60)
    if minutes < 0:
        return "over"
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _state(one: dict[str, Any]) -> str:
    style = _STATES.get(one["state"])
    state = f"[{style}]{one['state']}[/]" if style else one["state"]
    return f"{state} at place {one['queue_place']}" if one["queue_place"] else state
