from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from testenv.checks import registry
from testenv.checks.protocol import Verdict
from testenv.checks.registry import BUILT_IN, chosen, known, make
from testenv.checks.release import Release
from testenv.checks.schema import SchemaCheck
from testenv.core.errors import Invalid, InvalidCatalog

HERE = __name__


class EighthCheck:
    """All that a team writes."""

    name = "eighth"

    def check(self, release: Release) -> Verdict:
        return Verdict.of(self.name, [], ["something"])


def test_the_seven_are_known_in_the_order_of_a_report() -> None:
    assert list(known()) == ["schema", "idempotency", "backfill", "quality", "diff", "streaming", "isolation"]
    assert isinstance(make("schema", known()), SchemaCheck)


def test_an_eighth_is_a_class_that_the_repository_names() -> None:
    places = known({"eighth": f"{HERE}:EighthCheck"})
    assert make("eighth", places).name == "eighth"
    assert chosen((), places)[-1] == "eighth"


def test_or_one_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("eighth", f"{HERE}:EighthCheck", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.GROUP else [])
    assert make("eighth", known()).name == "eighth"


def test_a_repository_cannot_replace_what_judges_it() -> None:
    with pytest.raises(InvalidCatalog, match="'schema' is a check already"):
        known({"schema": f"{HERE}:EighthCheck"})
    assert known({"schema": BUILT_IN["schema"]}) == BUILT_IN


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("nowhere.at.all:Check", "No module named 'nowhere'"),
        (f"{HERE}:NoSuchCheck", "NoSuchCheck"),
        ("subprocess", "cannot be imported"),
        ("os:getcwd", "is no class with a method check"),
        ("subprocess:Popen", "is no class with a method check"),
    ],
)
def test_what_is_no_check_is_refused_and_not_called(place: str, told: str) -> None:
    with pytest.raises(InvalidCatalog, match=told):
        make("odd", known({"odd": place}))


def test_names_are_chosen_in_the_order_of_a_report_and_unknown_ones_refused() -> None:
    assert chosen(("diff", "schema"), known()) == ("schema", "diff")
    with pytest.raises(Invalid, match="there is no 'speed'. There are schema, idempotency"):
        chosen(("speed", "diff"), known())
