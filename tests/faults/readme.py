"""`python -m tests.faults.readme`: writes the README's table of cases."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.faults.corpus import Case, Catcher, cases

README = Path(__file__).parent / "README.md"
BEGIN = "<!-- the table is written by `python -m tests.faults.readme` -->"


def table() -> str:
    """Faults by the check that catches them, then what is harmless."""
    faults = [case for case in cases() if case.caught_by]
    parts = [f"## {len(faults)} faults"]
    for check in Catcher:
        found = [case for case in faults if case.caught_by is check]
        rows = [f"| {case.name} | {case.what} | {_how(case)} | {', '.join(case.also)} |" for case in found]
        head = ["| case | what | how | may fail too |", "|---|---|---|---|"]
        parts.append("\n".join([f"### {check.capitalize()}: {len(found)}", "", *head, *rows]))
    harmless = [case for case in cases() if not case.caught_by]
    rows = [f"| {case.name} | {case.what} | {_pipelines(case)} |" for case in harmless]
    parts += [f"## {len(harmless)} harmless changes", "\n".join(["| case | what | affects |", "|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def _how(case: Case) -> str:
    if not case.static:
        return f"run: {_pipelines(case)}"
    return f"read: `{case.rule}`" if case.rule else "read"


def _pipelines(case: Case) -> str:
    return ", ".join(f"`{each}`" for each in case.pipelines) or "nothing"


def main() -> int:
    """Write the table below the line that says so."""
    text = README.read_text(encoding="utf-8").partition(BEGIN)[0]
    README.write_text(f"{text}{BEGIN}\n\n{table()}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
