"""The command `ci`: a verdict on a change, for a pull request's job and for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from testenv_cli import printing, runs
from testenv_cli.client import ControlPlane
from testenv_cli.errors import CliError, Exit
from testenv_cli.options import Json, NoWait, Timeout, plane

CODES = {"yes": Exit.OK, "no": Exit.FAILED, "error": Exit.NOT_JUDGED}
"""Verdict → exit code."""


def ci(
    base: Annotated[str, typer.Option(help="Branch, tag or commit that is released now.")] = "HEAD",
    head: Annotated[str, typer.Option(help="Branch, tag or commit of the change.")] = "working-tree",
    dataset: Annotated[str, typer.Option(help="Dataset version.")] = "latest",
    check: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Judge by this check; may be repeated.", show_default="all")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write the report as JUnit XML.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write the report as a page.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the environment for as long as its kind lives.")] = False,
    commit_status: Annotated[
        bool, typer.Option("--commit-status", help="Set the status of head's commit on GitHub, too.")
    ] = False,
    trial_minutes: Annotated[
        int | None, typer.Option(min=1, max=110, help="How long the pipelines may take to run.", show_default="18")
    ] = None,
    timeout: Timeout = 2400,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Say whether a change may be released: run what it affects in an environment of its own, and compare."""
    conf: dict[str, Any] = {
        "base": base,
        "head": head,
        "dataset": dataset,
        "checks": check or [],
        "keep": keep,
        "commit_status": commit_status,
    }
    if trial_minutes is not None:
        conf["trial_minutes"] = trial_minutes
    control = plane()
    found = runs.validate(control, conf, wait=not no_wait, timeout=timeout)
    if not no_wait:
        _download(control, found["env_id"], {"junit.xml": junit, "report.html": html})
    if as_json:
        printing.print_json(found)
    elif no_wait:
        printing.out.print(f"Requested. Follow it: {found['url']}", soft_wrap=True)
    else:
        printing.print_verdict(found, control.page(found["files"]["report.html"]))
    if not no_wait:
        raise typer.Exit(int(CODES[found["answer"]]))


def _download(control: ControlPlane, env_id: str, files: dict[str, Path | None]) -> None:
    for name, file in files.items():
        if file is None:
            continue
        body = control.report(env_id, name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        except OSError as error:
            raise CliError(Exit.BAD_REQUEST, f"{file} cannot be written: {error.strerror}") from error
