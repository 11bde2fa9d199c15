"""`python -m testenv.checks.impact [PIPELINE] --base REF --head REF`: what a change affects, and why."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from testenv.checks.impact import Selection, select, tree_at
from testenv.core.errors import Invalid, NotFound, TestenvError
from testenv.core.spec import WORKING_TREE


def main(arguments: list[str] | None = None) -> int:
    """Print what was asked for. Exit codes are those of `bin/testenv`: 2 a bad request, 3 no such pipeline."""
    parser = argparse.ArgumentParser(prog="testenv why", description="Which pipelines a change affects, and why.")
    parser.add_argument("pipeline", nargs="?", default="", help="id of a DAG; all, if none is named")
    parser.add_argument("--base", default="HEAD", help="branch, tag or commit; HEAD if none is named")
    parser.add_argument("--head", default=WORKING_TREE, help="the same; the files as they stand, if none is named")
    parser.add_argument("--repo", type=Path, default=Path(), help="the repository under test; the folder one is in")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args(arguments)
    try:
        selection = select(tree_at(asked.repo, asked.base), tree_at(asked.repo, asked.head))
        print(_text(selection, asked.pipeline, asked.json))
    except NotFound as error:
        print(f"testenv: {error}", file=sys.stderr)
        return 3
    except TestenvError as error:
        print(f"testenv: {error}", file=sys.stderr)
        return 2 if isinstance(error, Invalid) else 1
    return 0


def _text(selection: Selection, pipeline: str, as_json: bool) -> str:
    if pipeline:
        why = selection.why(pipeline)
        chain = next((each.chain for each in selection.selected if each.name == pipeline), ())
        found = {"pipeline": pipeline, "is_affected": pipeline in selection.names, "chain": chain, "why": why}
        return json.dumps(found, indent=2) if as_json else why
    if as_json:
        return json.dumps(asdict(selection), indent=2)
    lines = [f"{len(selection.selected)} of {len(selection.selected) + len(selection.excluded)} pipelines are affected"]
    lines += [f"  {each.name}: {each}" for each in selection.selected]
    lines += [f"  {name} is gone" for name in selection.removed]
    if selection.models:
        lines.append(f"{len(selection.models)} dbt models are modified or follow one; {len(selection.deferred)} do not")
        lines += [f"  {each.name}: {each}" for each in selection.models]
    lines += [f"without effect: {path}: {reason}" for path, reason in selection.harmless]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
