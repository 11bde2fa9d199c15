"""The commands of `bin/testenv`."""

from __future__ import annotations

import getpass
import subprocess
import sys
from typing import Annotated, Any

import typer

from testenv_cli import printing, release, runs
from testenv_cli.connecting import Format, render
from testenv_cli.errors import EXIT_CODES, CliError, Exit
from testenv_cli.options import Json, NoWait, Timeout, plane

app = typer.Typer(
    name="testenv",
    help="Test environments for data pipelines.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Env = Annotated[str, typer.Argument(metavar="ENV", help="Id of the environment, such as sbx-payments-fix.")]


@app.command()
def up(
    kind: Annotated[str, typer.Option(help="sandbox, ci or integration.")] = "sandbox",
    name: Annotated[str, typer.Option(help="Name of it; made up if not given.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it.", show_default="you")] = "",
    ref: Annotated[str, typer.Option(help="Branch, tag or commit of the code under test.")] = "working-tree",
    dataset: Annotated[str, typer.Option(help="Dataset version, or latest-TIER, as latest-synthetic.")] = "latest",
    tapes: Annotated[str, typer.Option(help="Tape set to fill topics from.", show_default="the dataset's")] = "",
    ttl_hours: Annotated[int | None, typer.Option(help="Lifetime.", show_default="the kind's")] = None,
    on_failure: Annotated[str, typer.Option(help="destroy or keep what a failed provision made.")] = "destroy",
    models: Annotated[str, typer.Option(help="code or dataset: whose dbt models it begins with.")] = "code",
    follow: Annotated[bool, typer.Option("--follow", help="Move to each new dataset version.")] = False,
    timeout: Timeout = 900,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Provision an environment."""
    conf: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "owner": owner or _user(),
        "ref": ref,
        "dataset": dataset,
        "tapes": tapes or None,
        "ttl_hours": ttl_hours,
        "on_failure": on_failure,
        "models": models,
        "follow": follow,
    }
    found = runs.provision(plane(), conf, wait=not no_wait, timeout=timeout)
    if as_json:
        printing.print_json(found)
    elif no_wait:
        printing.out.print(f"Requested. Follow it: {found['url']}", soft_wrap=True)
    else:
        printing.print_environment(found)


@app.command()
def down(env: Env, timeout: Timeout = 600, no_wait: NoWait = False, as_json: Json = False) -> None:
    """Destroy an environment, and see that nothing of it is left."""
    ended = runs.act(plane(), "destroy_env", env, {}, wait=not no_wait, timeout=timeout)
    _tell(ended, as_json, "is being destroyed" if no_wait else "is gone")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that ended, too.")] = False, as_json: Json = False
) -> None:
    """Show the environments there are."""
    found = plane().environments(ended=all_)
    if as_json:
        printing.print_json(found)
    else:
        printing.print_environments(found)


@app.command()
def show(env: Env, as_json: Json = False) -> None:
    """Show one environment: its parts, what happened, what is not done."""
    found = plane().environment(env)
    if as_json:
        printing.print_json(found)
    else:
        printing.print_environment(found)


@app.command()
def extend(env: Env, hours: Annotated[int, typer.Argument(min=1, help="Hours to add.")], as_json: Json = False) -> None:
    """Move the end of an environment."""
    found = plane().extend(env, hours)
    if as_json:
        printing.print_json(found)
    else:
        printing.out.print(f"{env} now lives until {found['expires_at'][:16].replace('T', ' ')} UTC.")


@app.command()
def move(
    env: Env,
    dataset: Annotated[str, typer.Option(help="Dataset version.")] = "latest",
    timeout: Timeout = 5400,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Move an environment to another dataset version. What runs in it is waited for; what is kept stays."""
    ended = runs.act(plane(), "move_env", env, {"dataset": dataset}, wait=not no_wait, timeout=timeout)
    if as_json:
        printing.print_json(ended)
    else:
        _say(ended["note"] or f"{env} is being moved to {dataset}.")


@app.command()
def keep(
    env: Env,
    things: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="THING…", help="snowflake:SCHEMA.TABLE, postgres:TABLE, kafka:TOPIC or s3:landing/PATH."
        ),
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Keep them no longer.")] = False,
    as_json: Json = False,
) -> None:
    """Mark what a move to another dataset version leaves as it is; without THING, show what is marked."""
    kept = plane().keep(env, things, forget=forget) if things else plane().environment(env)["kept"]
    if as_json:
        printing.print_json({"environment": env, "kept": kept})
    else:
        _say(f"{env} keeps {', '.join(kept) or 'nothing'}.")


@app.command()
def run(
    env: Env,
    dag: Annotated[str, typer.Argument(metavar="DAG", help="Id of a DAG of the code under test.")],
    logical_date: Annotated[str, typer.Argument(help="ISO 8601: 2026-01-02.")],
    timeout: Timeout = 3600,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Run a pipeline in an environment, to its end."""
    conf = {"dag_id": dag, "logical_date": logical_date}
    ended = runs.act(plane(), "run_pipeline", env, conf, wait=not no_wait, timeout=timeout)
    _tell(ended, as_json, f"{'runs' if no_wait else 'ran'} {dag} for {logical_date}")


@app.command()
def replay(
    env: Env,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Production's name of the topic: card_events.")],
    tapes: Annotated[str, typer.Option(help="Tape set, or current.", show_default="the environment's")] = "",
    exact: Annotated[bool, typer.Option("--exact", help="With the offsets that production had.")] = False,
    variant: Annotated[str, typer.Option(help="late, out-of-order, duplicated or poison.", show_default="none")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Chooses the variant's records.")] = 0,
    share: Annotated[float, typer.Option(help="How many of the records the variant changes.")] = 0.1,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PARTITION:OFFSET,…", help="Where a consumer group goes on; may be given again."),
    ] = None,
    timeout: Timeout = 3600,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Fill a topic of an environment from a tape, and read it back. What the topic held is gone."""
    conf: dict[str, Any] = {"topic": topic, "tapes": tapes or None, "mode": "exact" if exact else "rebased"}
    conf |= {"variant": variant or None, "seed": seed, "share": share}
    conf["groups"] = dict(runs.group_offsets(each) for each in group or ())
    ended = runs.act(plane(), "replay_stream", env, conf, wait=not no_wait, timeout=timeout)
    _tell(ended, as_json, ended["note"] or f"{topic} is being filled")


@app.command()
def serve(
    env: Env,
    stop: Annotated[bool, typer.Option("--stop", help="Stop them.")] = False,
    timeout: Timeout = 300,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Start (or stop) the environment's own scheduler and web UI."""
    conf = {"action": "stop" if stop else "start"}
    ended = runs.act(plane(), "serve_env", env, conf, wait=not no_wait, timeout=timeout)
    _tell(ended, as_json, ended["note"] or "is being served")


@app.command()
def logs(
    env: Env,
    what: Annotated[str, typer.Argument(metavar="[RUN|TASK]", help="A log that `logs ENV` lists.")] = "",
    as_json: Json = False,
) -> None:
    """List an environment's logs, or print one: of a provisioning task, or of a pipeline's run."""
    control = plane()
    if what:
        text = runs.log(control, env, what)
        if as_json:
            printing.print_json({"environment": env, "log": what, "text": text})
        else:
            print(text)
        return
    found = runs.logs(control, env)
    if as_json:
        printing.print_json(found)
    else:
        printing.print_runs(found)


@app.command()
def connect(
    env: Env,
    form: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.ENV,
    as_json: Json = False,
) -> None:
    """Print how to log in to each part, ready to paste. It holds credentials; the ledger notes that you asked."""
    found = plane().connect(env)
    if as_json:
        printing.print_json(found)
    else:
        print(render(found, form))


@app.command()
def reap(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be ended, and change nothing.")
    ] = False,
    timeout: Timeout = 600,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """End what is expired, stuck or left over, and forget what is old. Happens by itself every 15 minutes."""
    if dry_run:
        found = plane().findings()
        if as_json:
            printing.print_json(found)
        else:
            printing.print_findings(found)
        return
    ended = runs.reap(plane(), wait=not no_wait, timeout=timeout)
    if as_json:
        printing.print_json(ended)
    else:
        words = ended["note"] or f"Started. Follow it: {ended['url']}"
        printing.out.print(words, soft_wrap=True, markup=False, highlight=False)


@app.command()
def why(
    pipeline: Annotated[
        str, typer.Argument(metavar="[PIPELINE]", help="Id of a DAG; without it, all are listed.")
    ] = "",
    base: Annotated[str, typer.Option(help="Branch, tag or commit to compare with.")] = "HEAD",
    head: Annotated[str, typer.Option(help="Branch, tag or commit of the change.")] = "working-tree",
    repo: Annotated[str, typer.Option(help="The repository under test.", show_default="the folder you are in")] = ".",
    as_json: Json = False,
) -> None:
    """Say why a change affects a pipeline, or why it does not. Needs no control plane."""
    # A process of its own: the client imports nothing of the engine, and this reads files alone.
    command = [sys.executable, "-m", "testenv.checks.impact", f"--base={base}", f"--head={head}", f"--repo={repo}"]
    more = ["--json"] if as_json else []
    raise typer.Exit(subprocess.run([*command, *more, "--", *([pipeline] if pipeline else [])], check=False).returncode)


app.command()(release.ci)

datasets = typer.Typer(help="Dataset versions: what environments are made from.", no_args_is_help=True)
app.add_typer(datasets, name="datasets")

Version = Annotated[str, typer.Argument(metavar="VERSION", help="Dataset version, or latest.")]


@datasets.command("list")
def list_datasets(as_json: Json = False) -> None:
    """Show the dataset versions, and which environments stand on each."""
    found = plane().datasets()
    if as_json:
        printing.print_json(found)
    else:
        printing.print_datasets(found)


@datasets.command("show")
def show_dataset(version: Version = "latest", as_json: Json = False) -> None:
    """Show what a dataset version holds."""
    found = plane().dataset(version)
    if as_json:
        printing.print_json(found)
    else:
        printing.print_dataset(found)


@datasets.command("diff")
def diff_datasets(before: Version, after: Version = "latest", as_json: Json = False) -> None:
    """Show what differs from one dataset version to another."""
    found = plane().dataset_changes(before, after)
    if as_json:
        printing.print_json(found)
    else:
        printing.print_dataset_changes(found)


tapes = typer.Typer(help="Tape sets: recorded, masked topics of production.", no_args_is_help=True)
app.add_typer(tapes, name="tapes")


@tapes.command("list")
def list_tapes(as_json: Json = False) -> None:
    """Show the tape sets, and which environments are filled from each."""
    found = plane().tapes()
    if as_json:
        printing.print_json(found)
    else:
        printing.print_tapes(found)


def _tell(ended: dict[str, Any], as_json: bool, words: str) -> None:
    if as_json:
        printing.print_json(ended)
    else:
        _say(f"{ended['environment']}: {words}")


def _say(words: str) -> None:
    printing.out.print(words, soft_wrap=True, markup=False, highlight=False)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""


def main() -> None:
    """Run the command. What goes wrong is told on standard error, with its exit code and without a traceback."""
    try:
        app(prog_name="testenv")
    except CliError as error:
        printing.err.print(f"testenv: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(int(error.code)) from None
    except BrokenPipeError:
        raise SystemExit(int(Exit.OK)) from None
