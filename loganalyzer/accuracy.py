"""How often the scanner is right: from the labels of cases and the answers to them to numbers.

Nothing is read or scanned here. An *answer* is what a report says that a label can judge; what is *said* are the causes
of its diagnoses in their order, and `HEALTHY` where the bundle's verdict is no-fault-found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from loganalyzer.catalogue import Artefact
from loganalyzer.labels import ANY, HEALTHY, Label
from loganalyzer.report.model import BundleVerdict, DiagnosisVerdict, Report

SCHEMA: Final = "loganalyzer/accuracy/1"

#: Percent that this project holds itself to.
TARGET_FIRST: Final = 75
TARGET_ACCEPTED: Final = 90
TARGET_PARTLY: Final = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What a report says: its verdict, (cause, verdict) of each diagnosis in order, and what it asks for.

    ``next_evidence``: ids of artefacts, the most useful first; ``undecided``: cause → the artefacts that it lacks.
    ``read``: whether anything of the bundle could be read.
    """

    verdict: BundleVerdict
    diagnoses: tuple[tuple[str, DiagnosisVerdict], ...]
    next_evidence: tuple[str, ...]
    undecided: Mapping[str, tuple[str, ...]]
    read: bool


def answer_of(report: Report) -> Answer:
    """The part of a report that a label can judge; it holds no text of the bundle."""
    return Answer(
        verdict=report.verdict,
        diagnoses=tuple((one.cause, one.verdict) for one in report.diagnoses),
        next_evidence=tuple(one.artefact for one in report.next_evidence),
        undecided={one.cause: one.missing for one in report.undecided},
        read=any(row.status in ("read", "partial") for row in report.coverage),
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """A case: its label beside the answer.

    ``spoken_of``: artefacts that the label's perfect verdict names in a way that a program can see; empty: none, so
    that nothing can be compared.
    """

    name: str
    label: Label
    answer: Answer
    spoken_of: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, ...]:
        """Causes of the diagnoses in order; at their end `HEALTHY` where no fault was found."""
        causes = tuple(cause for cause, _ in self.answer.diagnoses)
        return (*causes, HEALTHY) if self.answer.verdict == "no-fault-found" else causes

    @property
    def right(self) -> bool:
        """The first answer is an expected one."""
        return any(cause in self.label.expected for cause in self.said[:1])

    @property
    def accepted(self) -> bool:
        """The first answer is an expected or acceptable one."""
        return any(cause in self.label.accepted for cause in self.said[:1])

    @property
    def in_first_three(self) -> bool:
        """An expected cause is among the first three answers."""
        return any(cause in self.label.expected for cause in self.said[:3])

    @property
    def forbidden(self) -> tuple[str, ...]:
        """What is said, at any place and however weakly, and must not be."""
        unwanted = self.label.must_not
        any_other = self.said if ANY in unwanted else ()
        return tuple(
            cause
            for cause in self.said
            if cause in unwanted or (cause in any_other and cause not in self.label.accepted)
        )

    @property
    def false(self) -> tuple[str, ...]:
        """Diagnoses of a healthy case, of any verdict, that are not acceptable."""
        return self._false(("confirmed", "likely", "possible"))

    @property
    def false_firm(self) -> tuple[str, ...]:
        """Those of them that are confirmed or likely."""
        return self._false(("confirmed", "likely"))

    def _false(self, verdicts: tuple[DiagnosisVerdict, ...]) -> tuple[str, ...]:
        given = self.answer.diagnoses if self.label.healthy else ()
        return tuple(cause for cause, verdict in given if verdict in verdicts and cause not in self.label.accepted)

    @property
    def honest(self) -> bool:
        """The bundle's verdict is cannot-tell, and no cause is confirmed or likely."""
        firm = any(verdict != "possible" for _, verdict in self.answer.diagnoses)
        return self.answer.verdict == "cannot-tell" and not firm

    @property
    def wrong(self) -> frozenset[str]:
        """Causes wrongly given: forbidden, false in a healthy case, or first in a decidable one and not accepted."""
        first = self.said[:1] if self.label.decidable == "yes" and not self.accepted else ()
        return frozenset({*self.forbidden, *self.false, *first})

    @property
    def asked(self) -> tuple[str, ...]:
        """Artefacts that the report asks for: to collect next, or to decide the expected causes."""
        lacking = (name for cause in self.label.expected for name in self.answer.undecided.get(cause, ()))
        return tuple(dict.fromkeys((*self.answer.next_evidence, *lacking)))

    @property
    def asks(self) -> bool | None:
        """Whether it cannot tell and asks for an artefact that the perfect verdict speaks of; None: not comparable."""
        if not self.spoken_of:
            return None
        return self.answer.verdict == "cannot-tell" and not set(self.spoken_of).isdisjoint(self.asked)


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` cases of ``of``; ``target`` in percent: at least this is wanted."""

    count: int
    of: int
    target: int | None = None

    @property
    def percent(self) -> float | None:
        """None where there is no case."""
        return round(100 * self.count / self.of, 1) if self.of else None

    def reaches(self, percent: float) -> bool:
        """Whether it is at least so many percent; of no case it is not."""
        return self.of > 0 and 100 * self.count >= percent * self.of


@dataclass(frozen=True, slots=True)
class Constant:
    """The cause that would be right most often if it were always the answer; None: there is no case."""

    cause: str | None
    share: Share


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate by words: the share of the cases that can be compared, and how many cannot."""

    share: Share
    not_comparable: int


@dataclass(frozen=True, slots=True)
class CauseRow:
    """One cause over all cases.

    ``expected``: cases, but for undecidable ones, whose main cause it is. Of these ``first`` had an expected cause as
    the first answer, ``in_first_three`` among the first three, and ``missed`` the others. ``wrong``: cases that were
    wrongly given this cause.
    """

    cause: str
    expected: int
    first: int
    in_first_three: int
    missed: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Score:
    """All numbers; the JSON form has the same names (`to_json`).

    Of failing cases that are decidable: ``read`` (something of it), ``first_expected``, ``first_accepted`` (expected or
    acceptable), ``in_first_three`` (expected), and what the best constant answer would get. Of failing cases that are
    partly decidable: ``partly_in_first_three``, and of the rest ``partly_asks``. Of failing cases that are not:
    ``undecidable_honest`` and ``undecidable_asks``. Counts of mistakes: ``forbidden`` (of all cases),
    ``healthy_false`` (any diagnosis that is not acceptable) and ``healthy_false_firm`` (a confirmed or likely one).
    ``healthy_said``: healthy cases that were called so.
    """

    cases: tuple[Scored, ...]
    read: Share
    first_expected: Share
    first_accepted: Share
    in_first_three: Share
    constant_expected: Constant
    constant_accepted: Constant
    partly_in_first_three: Share
    partly_asks: Estimate
    undecidable_honest: Share
    undecidable_asks: Estimate
    forbidden: Share
    healthy_false: Share
    healthy_false_firm: Share
    healthy_said: Share
    causes: tuple[CauseRow, ...]

    @property
    def clean(self) -> bool:
        """No forbidden cause anywhere, and no false one in a healthy case."""
        return self.forbidden.count == self.healthy_false.count == 0

    def to_json(self) -> dict[str, Any]:
        """JSON values: ``schema``, then the fields in their order; a share has its percent (null: there is no case)."""
        told = {one.name: _json(getattr(self, one.name)) for one in fields(self) if one.name != "cases"}
        return {"schema": SCHEMA, **told, "cases": [_case(one) for one in self.cases]}


def score(cases: Iterable[Scored]) -> Score:
    """The numbers of these cases."""
    cases = tuple(cases)
    failing = [one for one in cases if not one.label.healthy]
    healthy = [one for one in cases if one.label.healthy]
    decidable, partly, undecidable = (
        [one for one in failing if one.label.decidable == word] for word in ("yes", "partly", "no")
    )
    return Score(
        cases=cases,
        read=_share(decidable, lambda one: one.answer.read),
        first_expected=_share(decidable, lambda one: one.right, TARGET_FIRST),
        first_accepted=_share(decidable, lambda one: one.accepted, TARGET_ACCEPTED),
        in_first_three=_share(decidable, lambda one: one.in_first_three),
        constant_expected=_constant(decidable, lambda one: one.label.expected),
        constant_accepted=_constant(decidable, lambda one: one.label.accepted),
        partly_in_first_three=_share(partly, lambda one: one.in_first_three, TARGET_PARTLY),
        partly_asks=_estimate([one for one in partly if not one.in_first_three]),
        undecidable_honest=_share(undecidable, lambda one: one.honest),
        undecidable_asks=_estimate(undecidable),
        forbidden=_share(cases, lambda one: bool(one.forbidden)),
        healthy_false=_share(healthy, lambda one: bool(one.false)),
        healthy_false_firm=_share(healthy, lambda one: bool(one.false_firm)),
        healthy_said=_share(healthy, lambda one: one.said == (HEALTHY,)),
        causes=_by_cause(cases),
    )


def artefacts_spoken_of(text: str, artefacts: Iterable[Artefact]) -> tuple[str, ...]:
    """The artefacts that a text names by their id, by what they are ("system log"), or by the name of their file.

    An estimate: whoever describes a file in words of their own is not understood.
    """
    return tuple(one.id for one in artefacts if any(_holds(text, name) for name in _names(one)))


_PARENTHESIS: Final = re.compile(r"\s*\([^)]*\)")
_FILE: Final = re.compile(r"(?<![\w.])[A-Za-z][\w-]*\.[A-Za-z]+(?![\w.\\/-])")


def _names(artefact: Artefact) -> tuple[str, ...]:
    return (artefact.id, _PARENTHESIS.sub("", artefact.what), *_FILE.findall(artefact.where))


def _holds(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", text, re.IGNORECASE) is not None


def _share(cases: Sequence[Scored], counted: Callable[[Scored], bool], target: int | None = None) -> Share:
    return Share(sum(map(counted, cases)), len(cases), target)


def _estimate(cases: Sequence[Scored]) -> Estimate:
    comparable = [one for one in cases if one.asks is not None]
    return Estimate(_share(comparable, lambda one: bool(one.asks)), len(cases) - len(comparable))


def _constant(cases: Sequence[Scored], right: Callable[[Scored], Iterable[str]]) -> Constant:
    counts = Counter(cause for one in cases for cause in set(right(one)))
    best = min(counts, key=lambda cause: (-counts[cause], cause), default=None)
    return Constant(best, Share(counts[best] if best is not None else 0, len(cases)))


def _by_cause(cases: Sequence[Scored]) -> tuple[CauseRow, ...]:
    own: dict[str, list[Scored]] = {}
    for one in cases:
        if one.label.decidable != "no":
            own.setdefault((*one.label.expected, HEALTHY)[0], []).append(one)
    wrong = Counter(cause for one in cases for cause in one.wrong)
    rows = []
    for cause in sorted({*own, *wrong}):
        mine = own.get(cause, [])
        first, three = sum(one.right for one in mine), sum(one.in_first_three for one in mine)
        rows.append(CauseRow(cause, len(mine), first, three, len(mine) - three, wrong[cause]))
    return tuple(rows)


def _case(one: Scored) -> dict[str, Any]:
    label, answer = one.label, one.answer
    return {
        "name": one.name,
        "healthy": label.healthy,
        "decidable": label.decidable,
        "expected": list(label.expected),
        "acceptable": list(label.acceptable),
        "verdict": answer.verdict,
        "diagnoses": [{"cause": cause, "verdict": verdict} for cause, verdict in answer.diagnoses],
        "read": answer.read,
        "right": one.right,
        "accepted": one.accepted,
        "in_first_three": one.in_first_three,
        "forbidden": list(one.forbidden),
        "false": list(one.false),
        "false_firm": list(one.false_firm),
        "honest": one.honest if label.decidable == "no" else None,
        "perfect_verdict": label.perfect_verdict,
        "spoken_of": list(one.spoken_of),
        "asked": list(one.asked),
        "asks": one.asks,
    }


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    told = {one.name: _json(getattr(value, one.name)) for one in fields(value)}
    return {**told, "percent": value.percent} if isinstance(value, Share) else told
