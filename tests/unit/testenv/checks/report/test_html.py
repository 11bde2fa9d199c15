from __future__ import annotations

import re

from tests.unit.testenv.checks.report import sample

from testenv.checks.protocol import Verdict
from testenv.checks.report import Choice, html


def test_it_opens_with_the_verdict_and_three_things() -> None:
    page = html.render(sample.report())
    assert page.index("This change must not be released") < page.index('class="three"') < page.index("<h2>Checks")
    assert page.count('class="card bad"') == 2 and page.count('class="card warn"') == 1


def test_evidence_is_a_table_of_rows_and_null_is_told_from_a_text() -> None:
    page = html.render(sample.report())
    assert re.search(r"<th>SETTLEMENT_ID</th><th>AMOUNT</th><th>VALUE_DATE</th>", page)
    assert "<td>900002</td><td>NULL</td><td>2026-01-02</td>" in page
    assert "<td>10.001</td><td>10.002</td>" in page
    assert "<pre>SELECT CURRENCY FROM RAW.PAYMENTS</pre>" in page
    assert "Proved: SQLite answers: no such column: CURRENCY" in page


def test_it_tells_time_money_and_what_was_emulated() -> None:
    page = html.render(sample.report())
    assert "134 s, 87 CPU seconds, $0.104" in page
    assert "<li>Snowflake by the local server</li>" in page


def test_it_stands_alone_in_light_dark_and_print() -> None:
    page = html.render(sample.report())
    assert not re.search(r"<(script|link|img|iframe)|@import|url\(", page)
    assert set(re.findall(r"(?:href|src)=\"(?!#)([^\"]*)", page)) == set()
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def test_nothing_of_the_code_under_test_is_markup() -> None:
    evil = "<script>alert(1)</script>"
    told = sample.finding(evil, what=evil, dataset=evil, rows=({evil: evil},), remedy=evil)
    page = html.render(
        sample.report(
            verdicts=(Verdict.of("x", [told], [evil], [evil]),), choice=Choice(removed=(evil,)), emulated=(evil,)
        )
    )
    assert "<script>" not in page
    assert page.count("&lt;script&gt;") > 8


def test_a_report_of_an_error_and_one_of_nothing_can_be_shown() -> None:
    nothing = sample.report(verdicts=(), runs=(), intervals={}, stages=(), choice=Choice(), emulated=(), answer="error")
    page = html.render(nothing.model_copy(update={"reason": "head: a contract is wrong"}))
    assert "This change could not be judged" in page and "head: a contract is wrong" in page


def test_many_rows_are_cut_and_the_page_says_so() -> None:
    rows = tuple({"ID": number} for number in range(50))
    page = html.render(sample.report(verdicts=(Verdict.of("x", [sample.finding("r", rows=rows)], ["y"]),)))
    assert "<td>19</td>" in page and "<td>20</td>" not in page and "report.json has all" in page
