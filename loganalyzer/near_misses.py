"""What came nearest to a diagnosis in a bundle that has none: for the receipt, so that "nothing" can be judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from loganalyzer.attribute import CauseVerdict, Finding
from loganalyzer.grounds import (
    Grounds,
    answered_reason,
    citation,
    history_reason,
    strength_of,
    taken_away,
)
from loganalyzer.report.model import Citation, NearMiss, NearMissKind
from loganalyzer.sigma.attribution import STRENGTHS
from loganalyzer.sigma.nearest import almost
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.sigma.words import in_words

MOST_TOLD: Final = 3
#: Rows of a frame, from the end of the window, that are looked at: a help to the reader must not cost a scan much.
MOST_ROWS: Final = 2_000
#: Conditions that must hold of a row. One alone (its program, the kind of row) holds of rows without number.
ENOUGH: Final = 2


def near_misses(grounds: Grounds) -> tuple[NearMiss, ...]:
    """Of a bundle without a diagnosis, at most three causes with what came nearest to one; else none.

    First findings that are history, then those that a refutation took away, the strongest and latest first; then rows
    of the last failed attempt's window of which all but one condition of a rule hold.
    """
    if grounds.attribution.ranked:
        return ()
    told: dict[str, NearMiss] = {}
    for miss in _in_order(grounds):
        told.setdefault(miss.cause, miss)
        if len(told) == MOST_TOLD:
            break
    return tuple(told.values())


def _in_order(grounds: Grounds) -> Iterator[NearMiss]:
    verdicts = grounds.attribution.verdicts.values()
    past = [(one, finding, history_reason(grounds, finding)) for one in verdicts for finding in _newest(one.history)]
    yield from _of_findings(grounds, "history", past)
    answered = [
        (one, finding, answered_reason(one)) for one in verdicts for finding in _newest(taken_away(grounds, one))
    ]
    yield from _of_findings(grounds, "refuted", answered)
    yield from _almost(grounds)


def _newest(findings: Iterable[Finding]) -> list[Finding]:
    """The strongest and of these the latest finding; a hostile log holds any number of others."""
    return sorted(findings, key=_nearness)[:1]


def _nearness(finding: Finding) -> tuple[int, float, str, int]:
    time: datetime | None = finding.end or finding.start
    age = -time.timestamp() if time is not None else 0.0
    return STRENGTHS.index(strength_of(finding.rule)), age, finding.path, finding.row


def _of_findings(
    grounds: Grounds, kind: NearMissKind, found: Iterable[tuple[CauseVerdict, Finding, str]]
) -> Iterator[NearMiss]:
    for one, finding, why in sorted(found, key=lambda each: (_nearness(each[1]), each[0].cause.id)):
        row = grounds.frames[finding.frame].rows.row(finding.row, named=True)
        yield _miss(one, kind, finding.rule, why, citation(row))


def _almost(grounds: Grounds) -> Iterator[NearMiss]:
    """Of rules that matched nothing, rows where evidence would count; what is ruled out has an answer already."""
    windows = grounds.attribution.relevance.windows
    if not windows:
        return
    verdicts = grounds.attribution.verdicts
    known = {match.rule.id for match in grounds.matches.matches} | {one.rule_id for one in grounds.matches.unable}
    asked = [
        rule
        for rule in grounds.signatures.values()
        if isinstance(rule, Rule)
        and rule.id not in known
        and rule.attribution is not None
        and rule.attribution.role == "supports"
        and (one := verdicts.get(rule.attribution.cause or "")) is not None
        and one.verdict != "ruled-out"
    ]
    for near in almost(asked, grounds.frames, (windows[-1].start, windows[-1].end), MOST_ROWS, ENOUGH):
        cause = near.rule.attribution.cause if near.rule.attribution is not None else None
        why = f"{near.held} of {near.held + near.lacking} conditions hold; this one does not: {in_words(near.failed)}"
        yield _miss(verdicts[cause or ""], "almost", near.rule, why, citation(near.rows.row(near.row, named=True)))


def _miss(one: CauseVerdict, kind: NearMissKind, rule: Rule | Correlation, why: str, line: Citation) -> NearMiss:
    return NearMiss(kind, one.cause.id, one.cause.title, rule.id, rule.title, why, line)
