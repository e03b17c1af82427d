"""What changed between two reports of one machine: causes, settings, attempts, and errors that nobody explains."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from loganalyzer.redact import TOKEN
from loganalyzer.report.model import AttemptEntry, Diagnosis, Report, Setting, Unattributed

#: ``fixed``: what would show it was read and shows nothing, or backups succeed again; ``not-shown``: gone, but that
#: proves nothing; ``new``, ``stronger``, ``weaker`` and ``same`` by the verdicts.
CauseChange: TypeAlias = Literal["new", "stronger", "same", "weaker", "not-shown", "fixed"]
_ORDER: Final[tuple[CauseChange, ...]] = ("new", "stronger", "same", "weaker", "not-shown", "fixed")
_STRENGTH: Final = {"possible": 0, "likely": 1, "confirmed": 2}


@dataclass(frozen=True, slots=True)
class ChangedCause:
    """A cause that either report gives. Verdicts are those of the reports; ``why`` what the later one says of it."""

    cause: str
    title: str
    change: CauseChange
    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """A setting with other values. Empty: it is not there, in a log source that was read on both sides."""

    logsource: str
    name: str
    object: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempts:
    """Backup attempts of one side by outcome, and the last one."""

    outcomes: Mapping[str, int]
    last: AttemptEntry | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs. ``same_host`` is None where a side names no host.

    ``new_errors``: clusters of unexplained errors that only the later report has; ``gone_errors``: the others.
    ``unlike``: what makes the reports hard to compare, in words.
    """

    verdicts: tuple[str, str]
    same_host: bool | None
    causes: tuple[ChangedCause, ...]
    settings: tuple[ChangedSetting, ...]
    attempts: tuple[Attempts, Attempts]
    new_errors: tuple[Unattributed, ...]
    gone_errors: tuple[Unattributed, ...]
    unlike: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether a cause is new, or surer than before."""
        return any(one.change in ("new", "stronger") for one in self.causes)


def compare(before: Report, after: Report) -> Comparison:
    """Compares two reports of one machine, the earlier one first."""
    hosts = [set(map(str.lower, one.bundle.hosts)) for one in (before, after)]
    templates = [{one.template: one for one in report.unattributed} for report in (before, after)]
    return Comparison(
        (before.verdict, after.verdict),
        bool(hosts[0] & hosts[1]) if all(hosts) else None,
        _causes(before, after),
        _settings(before, after),
        (_attempts(before.attempts), _attempts(after.attempts)),
        tuple(one for template, one in templates[1].items() if template not in templates[0]),
        tuple(one for template, one in templates[0].items() if template not in templates[1]),
        tuple(_unlike(before, after)),
    )


def _causes(before: Report, after: Report) -> tuple[ChangedCause, ...]:
    given = [{one.cause: one for one in report.diagnoses} for report in (before, after)]
    found = [
        _changed_cause(name, given[0].get(name), given[1].get(name), before, after) for name in given[1] | given[0]
    ]
    ranks = {name: place for place, name in enumerate((*given[1], *given[0]))}
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.change), ranks[one.cause])))


def _changed_cause(
    name: str, was: Diagnosis | None, now: Diagnosis | None, before: Report, after: Report
) -> ChangedCause:
    old, _ = _verdict(name, before)
    new, why = _verdict(name, after)
    change: CauseChange
    if now is None and after.verdict == "no-fault-found":  # whatever it was, it keeps no backup from succeeding now
        change, why = "fixed", after.receipt.statement
    elif now is None:
        change = "fixed" if new in ("clear", "ruled-out") else "not-shown"
    elif was is None:
        change = "new"
    else:
        step = _STRENGTH[now.verdict] - _STRENGTH[was.verdict]
        change = "stronger" if step > 0 else "weaker" if step < 0 else "same"
    title = next(one.title for one in (now, was) if one is not None)  # one of them gave the name
    return ChangedCause(name, title, change, old, new, why)


def _verdict(cause: str, report: Report) -> tuple[str, str]:
    """The verdict of a report on a cause, and why; a cause of which it says nothing cannot show in such a bundle."""
    for diagnosis in report.diagnoses:
        if diagnosis.cause == cause:
            return diagnosis.verdict, diagnosis.how
    for ruled_out in report.ruled_out:
        if ruled_out.cause == cause:
            return "ruled-out", ruled_out.why
    for undecided in report.undecided:
        if undecided.cause == cause:
            missing = f": {', '.join(undecided.missing)}" if undecided.missing else ""
            return "undecided", f"{undecided.why}{missing}"
    if cause in report.clear:
        return "clear", "everything that decides it was read, and nothing was found"
    return "undecided", "nothing that would show it was read"


_Key: TypeAlias = tuple[str, str, str | None]


def _settings(before: Report, after: Report) -> tuple[ChangedSetting, ...]:
    """Settings that differ, of log sources that both sides read: what one side lacks may only not be collected."""
    both = {one.logsource for one in before.settings} & {one.logsource for one in after.settings}
    sides = [_by_name(one for one in report.settings if one.logsource in both) for report in (before, after)]
    changed = [
        ChangedSetting(*key, *(tuple(sorted(side.get(key, {}).values())) for side in sides))
        for key in dict.fromkeys((*sides[0], *sides[1]))
        if sides[0].get(key, {}).keys() != sides[1].get(key, {}).keys()
    ]
    return tuple(sorted(changed, key=lambda one: (one.logsource, one.name, one.object or "")))


def _by_name(settings: Iterable[Setting]) -> dict[_Key, dict[str, str]]:
    """The values of each setting, by what is equal in two reports: tokens are numbered anew in each."""
    found: dict[_Key, dict[str, str]] = defaultdict(dict)
    for one in settings:
        unnumbered = TOKEN.sub(lambda token: token[0].partition(":")[0], one.value)
        found[one.logsource, one.name, one.object].setdefault(unnumbered, one.value)
    return found


def _attempts(found: tuple[AttemptEntry, ...]) -> Attempts:
    return Attempts(dict(sorted(Counter(one.outcome for one in found).items())), found[-1] if found else None)


def _unlike(before: Report, after: Report) -> Iterable[str]:
    if before.bundle.platform != after.bundle.platform:
        yield f"one is of a {before.bundle.platform} machine, the other of a {after.bundle.platform} one"
    if before.catalogue.version != after.catalogue.version or before.catalogue.rules != after.catalogue.rules:
        yield "they were made with other signatures: scan the earlier bundle again to compare like with like"
    if before.bundle.sha256 == after.bundle.sha256:
        yield "they are of the same bytes"
    if before.bundle.last and after.bundle.last and after.bundle.last < before.bundle.last:
        yield "the second one ends before the first one does"
