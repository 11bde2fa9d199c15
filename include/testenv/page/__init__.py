"""What our pages share: one file, nothing external, the verdict first, then the three things to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

THINGS = 3
"""How many things a page names before all others."""


@dataclass(frozen=True)
class Thing:
    """Something to look at."""

    state: Literal["bad", "warn", "good"]
    title: str
    text: str


def render(template: Path, **values: Any) -> str:
    """The page that `template` makes of `values`, HTML. It extends `page.html.jinja`; every value is escaped.

    The frame itself takes `things`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folders = [template.parent, Path(__file__).parent]
    environment = Environment(
        loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(template.name).render(**values)
