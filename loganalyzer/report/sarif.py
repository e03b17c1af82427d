"""The diagnoses as SARIF 2.1.0 (OASIS), for what shows results of analysis tools beside the files that they speak of.

One result is one diagnosis, its rule is the cause. The location of a result is its strongest entry of evidence, the
others are related locations. Paths are relative to the root of the bundle, which the log does not place on a disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from loganalyzer.report.json_report import jsonable
from loganalyzer.report.markdown import link_of, text_of
from loganalyzer.report.model import Citation, Coverage, Diagnosis, Evidence, PluginEntry, Report
from loganalyzer.report.plain_text import one_line, plain_json, without_surrogates
from loganalyzer.report.quoting import ORIGINAL_LIMIT
from loganalyzer.report.wording import place

SCHEMA_URI: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BASE: Final = "BUNDLE"
_LEVELS: Final = {"confirmed": "error", "likely": "warning", "possible": "note"}
_STRENGTHS: Final = ("definitive", "strong", "weak")


def to_sarif(report: Report, exit_code: int | None = None) -> bytes:
    """One run, as UTF-8 JSON. ``exit_code``: what the command exits with, where that is known."""
    log = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [_run(report, exit_code)]}
    written = orjson.dumps(jsonable(log), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return plain_json(written.decode()).encode()


def _run(report: Report, exit_code: int | None) -> dict[str, Any]:
    artifacts = _Artifacts({one.source: one for one in report.coverage})
    rules = {one.cause: number for number, one in enumerate(report.diagnoses)}
    results = [_result(one, report, rules[one.cause], artifacts) for one in report.diagnoses]
    invocation = _invocation(report, exit_code, artifacts)
    extensions = [_extension(one) for one in report.plugins]
    return {
        "tool": {"driver": _driver(report), **({"extensions": extensions} if extensions else {})},
        "invocations": [invocation],
        "originalUriBaseIds": {_BASE: {"description": {"text": _message(f"The root of {report.bundle.path}")}}},
        "artifacts": artifacts.described(),
        "results": results,
        "language": "en-US",
        "properties": _properties(report),
    }


class _Artifacts:
    """The sources that are cited, numbered as they come."""

    def __init__(self, coverage: Mapping[str, Coverage]) -> None:
        self._coverage: Final = coverage
        self._numbers: Final[dict[str, int]] = {}

    def location(self, source: str) -> dict[str, Any]:
        """An ``artifactLocation``."""
        number = self._numbers.setdefault(source, len(self._numbers))
        return {"uri": uri(source), "uriBaseId": _BASE, "index": number}

    def described(self) -> list[dict[str, Any]]:
        """``run.artifacts``: length in bytes and hash of each, as far as they are known."""
        return [self._described(source) for source in self._numbers]

    def _described(self, source: str) -> dict[str, Any]:
        one = self._coverage.get(source)
        found: dict[str, Any] = {
            "location": {"uri": uri(source), "uriBaseId": _BASE, "description": {"text": _message(source)}},
            "roles": ["analysisTarget"],
        }
        if one is not None and one.status != "archive":
            found["length"] = one.bytes
            if one.sha256 is not None:
                found["hashes"] = {"sha-256": one.sha256}
        return found


def uri(source: str) -> str:
    """The path of a source as a relative URI. No segment of it leads out of the bundle."""
    segments = [segment for segment in without_surrogates(source).split("/") if segment not in ("", ".", "..")]
    return "/".join(quote(segment, safe="!~") for segment in segments) or "."


def _driver(report: Report) -> dict[str, Any]:
    return {
        "name": "loganalyzer",
        "fullName": "loganalyzer: causes of failed Azure VM backups",
        "version": report.tool.version,
        "rules": [_rule(one) for one in report.diagnoses],
        "properties": {"catalogue": report.catalogue.version},
    }


def _extension(one: PluginEntry) -> dict[str, Any]:
    version = {"version": one.version} if one.version else {}
    return {"name": one.name, **version, "properties": {"group": one.group, "distribution": one.distribution}}


def _rule(one: Diagnosis) -> dict[str, Any]:
    """A cause as a rule, with how to repair it as its help."""
    steps = [f"{number}. {one_line(remedy)}" for number, remedy in enumerate(one.remedies, start=1)]
    pages = [f"{doc.title}: {doc.url}" for doc in one.docs]
    marked = [f"{number}. {text_of(remedy)}" for number, remedy in enumerate(one.remedies, start=1)]
    links = [f"- {link_of(doc.title, doc.url)}" for doc in one.docs]
    found: dict[str, Any] = {
        "id": one.cause,
        "name": "".join(part.capitalize() for part in one.cause.split("-")),
        "shortDescription": {"text": _message(one.title)},
        "fullDescription": {"text": _message(one.summary)},
        "help": {
            "text": "\n".join([*steps, *pages]) or one.title,
            "markdown": "\n".join([*marked, "", *links]).strip() or text_of(one.title),
        },
        "defaultConfiguration": {"level": _LEVELS[one.verdict]},
        "properties": {"tags": ["azure-backup", one.platform], "errorCodes": one.error_codes},
    }
    if one.docs:
        found["helpUri"] = one.docs[0].url
    return found


def _result(one: Diagnosis, report: Report, rule: int, artifacts: _Artifacts) -> dict[str, Any]:
    evidence = sorted(one.evidence, key=_weight)
    cited: list[Evidence | Citation] = list(evidence[1:])
    cited += [each for entry in evidence for each in (*entry.bounds, *entry.derived_from)]
    found: dict[str, Any] = {
        "ruleId": one.cause,
        "ruleIndex": rule,
        "level": _LEVELS[one.verdict],
        "message": {"text": _message(f"{one.title} ({one.verdict}): {one.how}")},
        "occurrenceCount": max(one.count, 1),
        "fingerprints": {"causeOfBundle/v1": _hash(report.bundle.sha256, one.cause)},
        "partialFingerprints": {"evidence/v1": _hash(one.cause, *sorted(each.sha256 for each in one.evidence))},
        "properties": {
            "verdict": one.verdict,
            "rank": one.rank,
            "firstSeen": one.first_seen,
            "lastSeen": one.last_seen,
            "leadsTo": one.chain[1:],
            "alsoExplains": one.consequences,
        },
    }
    if evidence:
        found["locations"] = [_location(evidence[0], artifacts)]
    if cited:
        found["relatedLocations"] = [
            {"id": number, **_location(each, artifacts)} for number, each in enumerate(cited, start=1)
        ]
    return found


def _weight(one: Evidence) -> tuple[bool, int]:
    """What speaks for the cause comes first, and of that what is strongest."""
    return (one.role != "supports", _STRENGTHS.index(one.strength) if one.strength in _STRENGTHS else len(_STRENGTHS))


def _location(one: Evidence | Citation, artifacts: _Artifacts) -> dict[str, Any]:
    """Where an entry stands. A record of an event log has no line: it is named as a logical location."""
    found: dict[str, Any] = {"physicalLocation": {"artifactLocation": artifacts.location(one.source)}}
    region = _region(one)
    if region:
        found["physicalLocation"]["region"] = region
    if one.record_id is not None:
        found["logicalLocations"] = [{"name": f"record {one.record_id}", "kind": "record"}]
    if isinstance(one, Evidence):
        against = "against: " if one.role == "refutes" else ""
        found["message"] = {"text": _message(f"{against}{one.rule_title} ({place(one)})")}
    else:
        found["message"] = {"text": _message(f"cited by the evidence ({place(one)})")}
    return found


def _region(one: Evidence | Citation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if one.line is not None:
        found["startLine"] = max(one.line, 1)
        further = one.original.rstrip("\r\n").count("\n")
        if further and not one.redacted and len(one.original) < ORIGINAL_LIMIT:
            found["endLine"] = found["startLine"] + further
    if one.offset is not None:
        found["byteOffset"] = one.offset
        if isinstance(one, Evidence) and one.length is not None:
            found["byteLength"] = one.length
    return {**found, "snippet": {"text": one.original}} if found else {}


def _invocation(report: Report, exit_code: int | None, artifacts: _Artifacts) -> dict[str, Any]:
    """The scan went to its end, or there would be no report; what it could not read are notifications."""
    found: dict[str, Any] = {"executionSuccessful": True}
    if exit_code is not None:
        found |= {"exitCode": exit_code, "exitCodeDescription": _EXITS.get(exit_code, "")}
    found["toolExecutionNotifications"] = [
        {
            "level": "warning",
            "message": {"text": _message(f"not read to its end: {'; '.join(one.notes) or one.why}")},
            "locations": [{"physicalLocation": {"artifactLocation": artifacts.location(one.source)}}],
        }
        for one in report.coverage
        if one.status == "partial" or (one.status == "archive" and one.notes)
    ]
    found["toolConfigurationNotifications"] = [
        {"level": "warning", "message": {"text": _message(f"the rule {one.rule} could not run: {one.why}")}}
        for one in report.rules.unable
    ]
    found["toolConfigurationNotifications"] += [
        {"level": "error", "message": {"text": _message(f"the plug-in {one.name} ({one.group}) failed: {one.fault}")}}
        for one in report.plugins
        if one.fault is not None
    ]
    return found


_EXITS: Final = {
    0: "nothing found",
    1: "a diagnosis at or above --fail-on",
    2: "a rule is broken",
    3: "nothing recognised, or a recognised source not readable to its end",
}


def _properties(report: Report) -> dict[str, Any]:
    """What SARIF has no place for: the bundle's verdict, and what would decide more."""
    return {
        "verdict": report.verdict,
        "statement": report.receipt.statement,
        "bundleSha256": report.bundle.sha256,
        "platform": report.bundle.platform,
        "undecided": [one.cause for one in report.undecided],
        "ruledOut": [one.cause for one in report.ruled_out],
        "clear": report.clear,
        "nextEvidence": list(_next_evidence(report)),
    }


def _next_evidence(report: Report) -> Iterator[dict[str, Any]]:
    for one in report.next_evidence:
        yield {"artefact": one.artefact, "what": one.what, "command": one.command, "separates": one.separates}


def _message(text: str) -> str:
    """Text of a message: one line in which no brace begins a placeholder (3.11.5) and nothing is a link (3.11.6)."""
    return one_line(text).replace("](", "] (").replace("{", "{{").replace("}", "}}") or "-"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
