"""What the verdicts on a bundle rest on, and how what did not lead to one is told; nothing here is redacted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from loganalyzer.attribute import Attribution, CauseVerdict, Finding
from loganalyzer.catalogue import Catalogue
from loganalyzer.facts import Derived
from loganalyzer.report.build import sha256_of
from loganalyzer.report.json_report import iso
from loganalyzer.report.model import Citation
from loganalyzer.report.quoting import ORIGINAL_LIMIT, cut
from loganalyzer.schema import EventFrame
from loganalyzer.sigma.match import Matches
from loganalyzer.sigma.nearest import Around
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.windows import Relevance

#: Rules that are named as examples of what would change a verdict, and commands of one artefact.
MOST_NAMED: Final = 3


class Grounds(Struct, frozen=True):
    """All that the verdicts on one bundle rest on. ``frames`` are those that ``matches`` and findings refer to."""

    catalogue: Catalogue
    derived: Derived
    frames: Sequence[EventFrame]
    matches: Matches
    signatures: Mapping[str, Rule | Correlation]
    attribution: Attribution

    @property
    def around(self) -> Around | None:
        """The window that a row is to be near to: the last failed attempt's, else the end of the bundle; UTC."""
        windows = self.attribution.relevance.windows
        if windows:
            return windows[-1].start, windows[-1].end
        return (self.derived.last, self.derived.last) if self.derived.last is not None else None


def strength_of(rule: Rule | Correlation) -> str:
    """How much a match of the rule weighs."""
    return (rule.attribution.strength if rule.attribution is not None else None) or "weak"


def of_cause(grounds: Grounds, cause: str, role: str) -> list[Rule | Correlation]:
    return [
        one
        for one in grounds.signatures.values()
        if one.attribution is not None and one.attribution.cause == cause and one.attribution.role == role
    ]


def taken_away(grounds: Grounds, one: CauseVerdict) -> list[Finding]:
    """The supporting findings that would count if nothing spoke against them."""
    if not one.refutes:
        return []
    kept = {(finding.rule.id, finding.frame, finding.row) for finding in (*one.supports, *one.history)}
    rules = {rule.id for rule in of_cause(grounds, one.cause.id, "supports")}
    return [
        finding_of(grounds, match.rule, match.frame, match.row)
        for match in grounds.matches.matches
        if match.rule.id in rules and (match.rule.id, match.frame, match.row) not in kept
    ]


def finding_of(grounds: Grounds, rule: Rule | Correlation, frame: int, row: int) -> Finding:
    """The finding that a match made; where it stands no longer matters."""
    values = grounds.frames[frame].rows.row(row, named=True)
    lasting = "event.end" in values
    start, path = values["@timestamp"], values["log.file.path"] or ""
    end = values.get("event.end") if lasting else start
    offset = values["log.offset"] if values["log.offset"] is not None else row
    return Finding(
        rule, frame, row, start, end, values["time.assumed"] is not None, lasting, path, (path, offset), None
    )


def citation(row: Mapping[str, Any]) -> Citation:
    """The place and text of a row, of a derived row those of the entry that it stands for."""
    original = cut(row["event.original"] or row["message"] or "", ORIGINAL_LIMIT)
    return Citation(
        source=row["log.file.path"] or "",
        line=row["log.line"],
        offset=row["log.offset"],
        record_id=row.get("EventRecordID"),
        timestamp=row["@timestamp"],
        original=original,
        sha256=sha256_of(original),
        redacted=False,
    )


def history_reason(grounds: Grounds, finding: Finding) -> str:
    """Why a finding is history: it is over, or no failed attempt is near it."""
    relevance = grounds.attribution.relevance
    since, start, end = relevance.since, finding.start, finding.end
    over = finding.lasting and end is not None
    if since is not None and start is not None and start < since:
        success = f"the last backup that succeeded ({iso(since)})"
        if finding.lasting and (end is None or end >= since):
            return f"it began before {success}, which it did not keep from succeeding"
        return f"{'it was over' if over else 'it was seen'} before {success}"
    seen = "it was over, and it lies" if over else "it lies"
    return f"{seen} outside of {_windows_told(relevance)}" if relevance.windows else "no backup failed after it"


def _windows_told(relevance: Relevance) -> str:
    last = relevance.windows[-1]
    if last.attempt is None:
        return last.why
    if len(relevance.failed) == 1:
        return f"the window of {last.why}, {iso(last.start)} to {iso(last.end)}"
    return f"the windows of the {len(relevance.failed)} attempts that did not succeed, the last of which is {last.why}"


def answered_reason(one: CauseVerdict) -> str:
    """Which refutation took a supporting finding away."""
    definitive = [finding.rule.title for finding in one.refutes if strength_of(finding.rule) == "definitive"]
    titles = list(dict.fromkeys(definitive or [finding.rule.title for finding in one.refutes]))
    more = f" and {len(titles) - MOST_NAMED} more" if len(titles) > MOST_NAMED else ""
    word = "definitive" if definitive else "later, or of the same state"
    return f"taken away by what speaks against it ({word}): {'; '.join(titles[:MOST_NAMED])}{more}"
