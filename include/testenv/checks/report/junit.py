"""The report as JUnit XML: a suite for each check, a case for each thing that it ran or compared."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from xml.etree import ElementTree

from testenv.checks.protocol import Finding, Outcome, Severity, Verdict
from testenv.checks.report.model import Report

_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold, be they escaped."""


def render(report: Report) -> bytes:
    """The document. A breaking finding is a failure of the case that it is about; what could not look is an error."""
    root = ElementTree.Element("testsuites", name=f"{report.base.commit[:12]} to {report.head.commit[:12]}")
    if report.reason:
        suite = ElementTree.SubElement(root, "testsuite", name="verdict", tests="1", failures="0", errors="1")
        case = ElementTree.SubElement(suite, "testcase", classname="verdict", name="could be judged")
        _add(case, "error", report.reason)
    for verdict in report.verdicts:
        root.append(_suite(verdict))
    for total in ("tests", "failures", "errors"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _suite(verdict: Verdict) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=verdict.check)
    if verdict.measured:
        suite.set("time", f"{verdict.measured.seconds:.3f}")
    found: dict[str, list[Finding]] = defaultdict(list)
    for finding in verdict.findings:
        found[_case_of(finding, verdict)].append(finding)
    for name in [*verdict.ran, *(name for name in found if name not in verdict.ran)]:
        case = ElementTree.SubElement(suite, "testcase", classname=verdict.check, name=_clean(name))
        _fill(case, found[name])
    if verdict.outcome is Outcome.ERROR:
        _add(
            ElementTree.SubElement(suite, "testcase", classname=verdict.check, name="could look"), "error", verdict.why
        )
    elif not len(suite):
        case = ElementTree.SubElement(suite, "testcase", classname=verdict.check, name=verdict.check)
        _add(case, "skipped", verdict.why)
    for total, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(total, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(suite)))
    return suite


def _case_of(finding: Finding, verdict: Verdict) -> str:
    """What the finding is about: the thing that ran whose name has its dataset, pipeline or file; else a case of it."""
    where = finding.where
    named = [each for each in (where.dataset, where.pipeline, where.file) if each]
    for each in named:
        whole = re.compile(rf"(?<![\w.-]){re.escape(each)}(?![\w-])")
        if about := next((thing for thing in verdict.ran if whole.search(thing)), None):
            return about
    return " ".join([finding.rule, *named[:1]])


def _fill(case: ElementTree.Element, findings: list[Finding]) -> None:
    breaking = [finding for finding in findings if finding.severity is Severity.BREAKING]
    if breaking:
        _add(case, "failure", "; ".join(each.what for each in breaking), "\n\n".join(map(_told, breaking)))
    if others := [finding for finding in findings if finding not in breaking]:
        said = ElementTree.SubElement(case, "system-out")
        said.text = _clean("\n\n".join(f"{each.severity}: {_told(each)}" for each in others))


def _told(finding: Finding) -> str:
    return "\n".join(_lines(finding))


def _lines(finding: Finding) -> Iterator[str]:
    where = finding.where
    yield f"{finding.rule}: {finding.what}"
    yield from (
        f"{name}: {value}"
        for name in ("dataset", "pipeline", "task", "file", "column")
        if (value := getattr(where, name))
    )
    yield from (f"row: {json.dumps(row, ensure_ascii=False)}" for row in where.rows)
    if finding.witness:
        yield f"{finding.witness.kind}: {json.dumps(finding.witness.content, ensure_ascii=False)}"
        yield f"{'proved' if finding.witness.proved else 'not run'}: {finding.witness.how}"
    yield finding.remedy


def _add(case: ElementTree.Element, kind: str, message: str, text: str = "") -> None:
    added = ElementTree.SubElement(case, kind, message=_clean(message))
    added.text = _clean(text) or None


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
