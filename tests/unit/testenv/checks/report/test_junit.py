from __future__ import annotations

from xml.etree import ElementTree

from tests.unit.testenv.checks.report import sample

from testenv.checks.protocol import Verdict
from testenv.checks.report import junit


def suites(*verdicts: Verdict, **changes: object) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(junit.render(sample.report(verdicts=verdicts, **changes)))
    return {str(suite.get("name")): suite for suite in root}


def cases(suite: ElementTree.Element) -> dict[str, list[str]]:
    return {str(case.get("name")): [child.tag for child in case] for case in suite}


def test_a_suite_for_each_check_and_a_case_for_each_thing_that_ran() -> None:
    found = suites(*sample.verdicts())
    assert list(found) == ["trial", "schema", "idempotency", "diff", "streaming"]
    assert cases(found["schema"]) == {
        "contract snowflake.RAW.CARDS": [],
        "contract snowflake.RAW.PAYMENTS": ["failure"],
    }
    assert cases(found["idempotency"]) == {"settlements_to_snowflake for 2026-01-02": ["failure"]}
    assert cases(found["streaming"]) == {"streaming": ["skipped"]}
    assert (found["schema"].get("tests"), found["schema"].get("failures")) == ("2", "1")
    assert found["schema"].get("time") == "3.210"


def test_a_failure_has_the_rows_and_the_remedy() -> None:
    failure = suites(*sample.verdicts())["idempotency"].find("testcase/failure")
    assert failure is not None and failure.text is not None
    assert "running 2026-01-02 again added 3 rows" in str(failure.get("message"))
    assert 'row: {"SETTLEMENT_ID": 900001' in failure.text and "Merge by the key" in failure.text


def test_a_warning_is_no_failure() -> None:
    found = cases(suites(*sample.verdicts())["diff"])
    assert [tags for tags in found.values() if "failure" in tags] == []
    assert sum(tags == ["system-out"] for tags in found.values()) == 1


def test_a_name_is_not_taken_for_another_that_begins_with_it() -> None:
    told = sample.finding("r", dataset="snowflake.RAW.CARD")
    found = cases(
        suites(Verdict.of("schema", [told], ["contract snowflake.RAW.CARDS", "contract snowflake.RAW.CARD_EVENTS"]))[
            "schema"
        ]
    )
    assert found["r snowflake.RAW.CARD"] == ["failure"]


def test_what_could_not_look_is_an_error() -> None:
    found = suites(Verdict.error("diff", "no trial"), reason="it hangs")
    assert cases(found["diff"]) == {"could look": ["error"]}
    assert cases(found["verdict"]) == {"could be judged": ["error"]}


def test_no_character_breaks_the_document() -> None:
    odd = "\x00\x1b[31m<&>\ud800 ☃"
    told = sample.finding(
        "r", what=odd, remedy=odd, witness={"kind": "value", "content": odd, "proved": True, "how": odd}
    )
    failure = suites(Verdict.of("x", [told], ["y"]))["x"].find("testcase/failure")
    assert failure is not None and "[31m<&>" in str(failure.get("message")) and "☃" in str(failure.text)
