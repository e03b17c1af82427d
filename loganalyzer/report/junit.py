"""The causes of a report as JUnit XML, so that what runs tests shows a diagnosis as a failure.

One test suite is a bundle, one test case a cause that was judged: it fails if the cause is confirmed, likely or
possible, is skipped if it could not be decided, and passes if it is clear or ruled out.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from loganalyzer.report.model import Diagnosis, Evidence, NextEvidence, Report, Undecided
from loganalyzer.report.plain_text import cut_end, one_line, plain
from loganalyzer.report.wording import place, time_text

#: Not characters of XML 1.0, and not taken out by `plain`.
_NO_CHARACTER: Final = re.compile("[\ufffe\uffff]")
#: Cells of an attribute that is shown in one line.
_MESSAGE_LIMIT: Final = 500
_CLASS: Final = "azure-vm-backup"


def to_junit(report: Report) -> bytes:
    """``<testsuites>`` with one suite. Cases are named by the id of their cause and come by verdict, then by rank.

    The suite's ``timestamp`` is the last time that the bundle shows; nothing was timed, so that all durations are 0.
    """
    cases = [
        *(_failure(one) for one in report.diagnoses),
        *(_skipped(one, report.next_evidence) for one in report.undecided),
        *(_passed(one.cause, f"ruled out: {one.why}") for one in report.ruled_out),
        *(_passed(cause, "clear: read, and nothing found") for cause in report.clear),
    ]
    counts = {"tests": str(len(cases)), "failures": str(len(report.diagnoses)), "errors": "0", "time": "0"}
    root = etree.Element("testsuites", {"name": "loganalyzer", **counts})
    name, skipped = _line(report.bundle.path) or "bundle", str(len(report.undecided))
    suite = etree.SubElement(root, "testsuite", {"name": name, **counts, "skipped": skipped})
    if report.bundle.last is not None:
        suite.set("timestamp", time_text(report.bundle.last)[:19].replace(" ", "T"))
    if report.bundle.hosts:
        suite.set("hostname", _line(report.bundle.hosts[0]))
    suite.append(_properties(report))
    suite.extend(cases)
    etree.SubElement(suite, "system-out").text = _block(report.receipt.statement)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def _properties(report: Report) -> etree._Element:
    said = {
        "verdict": report.verdict,
        "bundle.sha256": report.bundle.sha256,
        "bundle.layout": report.bundle.layout,
        "bundle.platform": report.bundle.platform,
        "catalogue.version": report.catalogue.version,
        "loganalyzer.version": report.tool.version,
    }
    found = etree.Element("properties")
    for name, value in said.items():
        etree.SubElement(found, "property", name=name, value=_line(value))
    return found


def _case(cause: str) -> etree._Element:
    return etree.Element("testcase", classname=_CLASS, name=_line(cause), time="0")


def _failure(one: Diagnosis) -> etree._Element:
    case = _case(one.cause)
    failure = etree.SubElement(case, "failure", type=one.verdict, message=_line(f"{one.title} ({one.verdict})"))
    lines = [one.summary.strip(), "", *(_evidence(evidence) for evidence in one.evidence), ""]
    lines += [f"{number}. {remedy}" for number, remedy in enumerate(one.remedies, start=1)]
    lines += [doc.url for doc in one.docs]
    failure.text = _block("\n".join(lines))
    return case


def _evidence(one: Evidence) -> str:
    when = f" {time_text(one.timestamp)}" if one.timestamp is not None else ""
    against = "against: " if one.role == "refutes" else ""
    return f"{against}{one.rule_title}\n  {place(one)}{when}\n  {one_line(one.message or one.original)}"


def _skipped(one: Undecided, wanted: tuple[NextEvidence, ...]) -> etree._Element:
    """What would decide the cause; what is known of its artefacts says in words what they are."""
    case = _case(one.cause)
    what = {each.artefact: each.what or each.artefact for each in wanted}
    missing = ", ".join(what.get(name, name) for name in one.missing)
    message = f"undecided; collect {missing}" if missing else f"undecided: {one.why}"
    skipped = etree.SubElement(case, "skipped", type="undecided", message=_line(message))
    skipped.text = _block("\n".join([one.why, *one.collect]))
    return case


def _passed(cause: str, why: str) -> etree._Element:
    case = _case(cause)
    etree.SubElement(case, "system-out").text = _block(why)
    return case


def _line(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", cut_end(one_line(text), _MESSAGE_LIMIT))


def _block(text: str) -> str:
    return _NO_CHARACTER.sub("\ufffd", plain(text))
