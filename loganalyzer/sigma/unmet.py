"""What a correlation lacks that never held: a rule below it, or what its matches have in common.

It is asked of the engine: the correlation is judged again with one demand less, and the demand without which it holds
is the one that failed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from loganalyzer.schema import EventFrame
from loganalyzer.sigma.correlate import Correlated, correlate
from loganalyzer.sigma.match import Matches
from loganalyzer.sigma.rule import Correlation, Rule

#: ``rule``: one that must match never did. ``absence``: one that must not match did. ``group``: the matches have no
#: common value of ``group-by``. ``timespan``: they are too far apart. ``order``: they came in another order.
#: ``count``: they are too few or too many, or their value is beyond the limit. ``several``: more than one of these.
Lack: TypeAlias = Literal["rule", "absence", "group", "timespan", "order", "count", "several"]

#: Longer than any log: seconds.
_FOREVER = 10**10

#: Types whose rules must match in one window, each.
_TEMPORAL = ("temporal", "temporal_ordered")

_AT_LEAST = ("gte", "gt", "eq")


class Unmet(Struct, frozen=True):
    """``matched``: how often each rule below matched, in the correlation's order. ``lacks``: what failed first.

    ``rules`` are the ids of those that lack, or that must not have matched. ``value`` is the nearest that the count or
    value came to the limits; None: there is none. ``at``: the (frame, row) of the event that came nearest.
    """

    matched: tuple[tuple[str, int], ...]
    lacks: Lack
    rules: tuple[str, ...]
    value: int | float | None
    at: tuple[int, int] | None


def unmet(
    correlation: Correlation, below: Sequence[Correlation], frames: Sequence[EventFrame], matches: Matches
) -> Unmet:
    """Why the correlation, which holds nowhere, does not. ``below``: those that it refers to, the lowest first."""
    of_events = tuple(one for one in matches.matches if isinstance(one.rule, Rule))
    asked = _Asked(below, frames, structs.replace(matches, matches=of_events))
    counts = asked.counts(correlation)
    told = tuple((rule_id, counts[rule_id]) for rule_id in dict.fromkeys(correlation.rules))
    silent = _silent(correlation, counts)
    if silent:
        return Unmet(told, "rule", silent, None, None)
    best = _best(correlation, asked.held(replace(correlation, thresholds=(), alternatives=())))
    value, at = (best.value, (best.frame, best.row)) if best is not None else (None, None)
    lacks = next((lack for lack, relaxed in _relaxed(correlation) if asked.held(relaxed)), None)
    if lacks is None:
        lacks = "several" if correlation.group_by or correlation.type in _TEMPORAL else "count"
    blocking = {rule_id for one in correlation.alternatives for rule_id in one.absent if counts[rule_id]}
    rules = tuple(rule_id for rule_id, _ in told if rule_id in blocking) if lacks == "absence" else ()
    return Unmet(told, lacks, rules, value, at)


class _Asked(Struct, frozen=True):
    below: Sequence[Correlation]
    frames: Sequence[EventFrame]
    matches: Matches

    def held(self, correlation: Correlation) -> Sequence[Correlated]:
        """Where the correlation holds."""
        found = correlate([*self.below, correlation], self.frames, self.matches).found
        return [one for one in found if one.rule == correlation]

    def counts(self, correlation: Correlation) -> Counter[str]:
        """How often each rule matched, those of correlations below included."""
        counts = Counter(one.rule.id for one in self.matches.matches)
        if self.below:
            counts.update(one.rule.id for one in correlate(self.below, self.frames, self.matches).found)
        return counts


def _silent(correlation: Correlation, counts: Counter[str]) -> tuple[str, ...]:
    """Rules that never matched, and without which the correlation cannot hold; empty: there are enough that did."""
    rules = tuple(dict.fromkeys(correlation.rules))
    if correlation.alternatives:
        wanted = [[name for name in rules if name in one.present] for one in correlation.alternatives]
        return min((tuple(name for name in own if not counts[name]) for own in wanted), key=len)
    silent = tuple(name for name in rules if not counts[name])
    if correlation.type not in _TEMPORAL:
        return silent if len(silent) == len(rules) else ()
    needed = max((one.limit + (one.op == "gt") for one in correlation.thresholds if one.op in _AT_LEAST), default=1)
    return silent if len(rules) - len(silent) < needed else ()


def _relaxed(correlation: Correlation) -> Iterator[tuple[Lack, Correlation]]:
    """The correlation with one demand less, by the demand."""
    if any(one.absent for one in correlation.alternatives):
        unhindered = tuple(structs.replace(one, absent=()) for one in correlation.alternatives)
        yield "absence", replace(correlation, alternatives=unhindered)
    if correlation.group_by:
        yield "group", replace(correlation, group_by=(), aliases={})
    if correlation.type == "temporal_ordered":
        yield "order", replace(correlation, type="temporal")
    yield "timespan", replace(correlation, timespan=_FOREVER)
    if correlation.type not in _TEMPORAL:
        yield "count", replace(correlation, thresholds=())


def _best(correlation: Correlation, held: Sequence[Correlated]) -> Correlated | None:
    """Of what a correlation without limits found, the one whose value is nearest to all limits."""
    known = [one for one in held if one.value is not None]
    if not known or not correlation.thresholds:
        return None

    def beyond(one: Correlated) -> tuple[float, int]:
        value = one.value if one.value is not None else 0
        return max(abs(value - limit.limit) for limit in correlation.thresholds), one.time

    return min(known, key=beyond)
