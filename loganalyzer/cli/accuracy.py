"""``loganalyzer signatures test --cases``: how often the scanner is right, as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from loganalyzer.accuracy import Answer, Constant, Estimate, Score, Scored, Share, artefacts_spoken_of, score
from loganalyzer.catalogue import Catalogue, load_catalogue
from loganalyzer.cli import EXIT_FINDING, EXIT_USAGE, tell
from loganalyzer.cli.labelled_cases import Case, answers_to, find_cases
from loganalyzer.errors import LogAnalyzerError
from loganalyzer.pipeline import ScanOptions
from loganalyzer.report.plain_text import one_line, plain, plain_json

#: Diagnoses shown of a case, and artefacts that it asks for.
MOST_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Percent that a user asks for; what is missed ends the command with 1. None: it does not matter."""

    first: float | None = None
    accepted: float | None = None
    partly: float | None = None

    def missed(self, result: Score) -> tuple[str, ...]:
        """The options that were missed."""
        asked = (
            ("--min-first", self.first, result.first_expected),
            ("--min-accepted", self.accepted, result.first_accepted),
            ("--min-partly", self.partly, result.partly_in_first_three),
        )
        return tuple(
            f"{option} {percent:g} is missed: {share.count} of {share.of}"
            for option, percent, share in asked
            if percent is not None and not share.reaches(percent)
        )


def run_cases(folders: Sequence[str], jobs: int, form: str, quiet: bool, wanted: Wanted, options: ScanOptions) -> int:
    """Scans the cases, prints the score, and returns the exit status: 2 before 1 before 0."""
    catalogue = load_catalogue()
    cases, broken = find_cases(folders, catalogue.causes)
    faults: list[LogAnalyzerError] = [*broken]
    scored: list[Scored] = []
    for case, answer in zip(cases, answers_to(cases, jobs, options), strict=True):
        if isinstance(answer, Answer):
            scored.append(_scored(case, answer, catalogue))
        else:
            faults.append(answer)
    result = score(scored)
    if form == "json":
        told = result.to_json() | {"faults": [plain(str(fault)) for fault in faults]}
        click.echo(plain_json(json.dumps(told, indent=2, ensure_ascii=False)))
    else:
        for line in _text(result, quiet):
            click.echo(line)
    for text in (*map(str, faults), *wanted.missed(result)):
        tell(text)
    if faults:
        return EXIT_USAGE
    return EXIT_FINDING if wanted.missed(result) or not result.clean else 0


def _scored(case: Case, answer: Answer, catalogue: Catalogue) -> Scored:
    spoken_of = artefacts_spoken_of(case.label.perfect_verdict or "", catalogue.artefacts.values())
    return Scored(one_line(case.path.resolve().name), case.label, answer, spoken_of)


def _text(result: Score, quiet: bool) -> Iterator[str]:
    for one in result.cases:
        if not quiet or not _is_well(one):
            yield from _case(one)
    yield ""
    yield from _totals(result)
    yield ""
    yield from _table(result)


def _is_well(one: Scored) -> bool:
    """Whether nothing is to be mended: nothing wrong is said, and what should be said is."""
    if one.wrong or one.label.healthy:
        return not one.wrong
    return {"yes": one.right, "partly": one.in_first_three, "no": one.honest}[one.label.decidable]


def _case(one: Scored) -> Iterator[str]:
    label, answer = one.label, one.answer
    mark = "healthy" if label.healthy else "right" if one.right else "accepted" if one.accepted else "-"
    causes = ", ".join(f"{cause}={verdict}" for cause, verdict in answer.diagnoses[:MOST_SHOWN])
    unread = "" if answer.read else "(nothing was read) "
    yield f"{one.name:45} {label.decidable:7} {mark:9} {answer.verdict:15} {unread}{causes}".rstrip()
    if not label.healthy and not one.accepted:
        yield _under(f"expected {', '.join(label.expected)}; asks for {', '.join(one.answer.next_evidence[:3])}")
    if not label.healthy and label.decidable != "yes" and not one.in_first_three:
        compared = {None: "not comparable", True: "asks for it", False: "does not ask for it"}[one.asks]
        yield _under(f"perfect:  {one_line(label.perfect_verdict or 'the label says nothing')}")
        yield _under(f"answered: {answer.verdict}, asks for {', '.join(one.asked[:MOST_SHOWN])} ({compared})")
    if label.decidable == "no" and not label.healthy and not one.honest:
        yield _under("NOT HONEST: these files cannot decide it")
    for word, wrong in (("FORBIDDEN", one.forbidden), ("FALSE", one.false)):
        if wrong:
            yield _under(f"{word} {', '.join(wrong)}")


def _under(text: str) -> str:
    return f"{'':45} {text}"


def _totals(result: Score) -> Iterator[str]:
    yield f"failing, decidable: {_cases(result.first_expected.of)}, something was read of {result.read.count}"
    yield _line("first diagnosis expected", result.first_expected)
    yield _line("first diagnosis expected or acceptable", result.first_accepted)
    yield _line("expected among the first three", result.in_first_three)
    yield _constant("best constant answer, expected", result.constant_expected)
    yield _constant("best constant answer, expected or acceptable", result.constant_accepted)
    yield f"failing, partly decidable: {_cases(result.partly_in_first_three.of)}"
    yield _line("expected among the first three", result.partly_in_first_three)
    yield _estimate("the rest cannot tell and ask for what is missing", result.partly_asks)
    yield f"failing, not decidable: {_cases(result.undecidable_honest.of)}"
    yield _line("cannot-tell, and nothing confirmed or likely", result.undecidable_honest)
    yield _estimate("cannot tell and ask for what is missing", result.undecidable_asks)
    yield f"healthy: {_cases(result.healthy_false.of)}"
    yield _line("with any diagnosis that is not acceptable", result.healthy_false, 0)
    yield _line("with a confirmed or likely one", result.healthy_false_firm, 0)
    yield _line("called healthy (no-fault-found)", result.healthy_said)
    yield f"all: {_cases(result.forbidden.of)}"
    yield _line("with a forbidden diagnosis", result.forbidden, 0)


def _cases(number: int) -> str:
    return f"{number} case{'' if number == 1 else 's'}"


def _line(what: str, share: Share, most: int | None = None) -> str:
    """A share in words, with the least that is wanted of it, or the most."""
    percent = "" if share.percent is None else f"{share.percent:5.1f} %"
    verdict = ""
    if share.target is not None and share.of:
        verdict = f"  (target {share.target} %{'' if share.reaches(share.target) else ': MISSED'})"
    elif most is not None and share.count > most:
        verdict = "  WRONG"
    return f"  {what:50} {share.count:4} of {share.of:<4} {percent}{verdict}".rstrip()


def _constant(what: str, constant: Constant) -> str:
    return f"{_line(what, constant.share)}  {constant.cause or ''}".rstrip()


def _estimate(what: str, estimate: Estimate) -> str:
    return f"{_line(what, estimate.share)}  (an estimate by words; {estimate.not_comparable} not comparable)"


def _table(result: Score) -> Iterator[str]:
    width = max((len(row.cause) for row in result.causes), default=0)
    yield f"{'cause':{width}}  expected  first  in first three  missed  wrongly given"
    for row in result.causes:
        numbers = f"{row.expected:8}  {row.first:5}  {row.in_first_three:14}  {row.missed:6}  {row.wrong:13}"
        yield f"{row.cause:{width}}  {numbers}"
