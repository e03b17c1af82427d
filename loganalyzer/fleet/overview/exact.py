"""Exact tests on tables of two by two, what may be rejected of many of them, and the interval of a difference.

Tails are summed term by term from logarithms of factorials: a table of 10,000 machines has p-values far below the
smallest float, and these must still be told apart to know which is smaller.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import Final

#: What a further term of a tail must add to it, as a share, to matter.
_NOTHING: Final = 1e-17
_LOG_2: Final = log(2)


@dataclass(frozen=True, slots=True)
class Table:
    """Of ``cases`` and ``others``, how many have a feature."""

    cases_with: int
    cases: int
    others_with: int
    others: int

    @property
    def leans_to_cases(self) -> bool:
        """Whether cases have it at least as often as others do."""
        return self.cases_with * self.others >= self.others_with * self.cases

    @property
    def odds_ratio(self) -> float | None:
        """The sample's odds ratio; null where it is infinite or nothing is known."""
        against = (self.cases - self.cases_with) * self.others_with
        return None if against == 0 else self.cases_with * (self.others - self.others_with) / against


def log_p(table: Table) -> float:
    """The natural logarithm of the two-sided p-value of Fisher's exact test: twice the tail on the table's side."""
    return min(0.0, _LOG_2 + _log_tail(table))


def least_log_p(table: Table) -> float:
    """The smallest value of `log_p` that a table with these margins can have."""
    with_it = table.cases_with + table.others_with
    fewest, most = max(0, with_it - table.others), min(with_it, table.cases)
    return min(0.0, _LOG_2 + min(_log_chance(table, fewest), _log_chance(table, most)))


def log_p_of_pairs(one: int, other: int) -> float:
    """The natural logarithm of the two-sided p-value of McNemar's exact test: pairs that changed either way."""
    changed = one + other
    logs = [_log_choose(changed, fewer) for fewer in range(min(one, other) + 1)]
    highest = logs[-1]
    tail = highest + log(sum(exp(term - highest) for term in logs))
    return min(0.0, tail - (changed - 1) * _LOG_2)


def _log_tail(table: Table) -> float:
    with_it = table.cases_with + table.others_with
    at, up = table.cases_with, table.leans_to_cases
    end = min(with_it, table.cases) if up else max(0, with_it - table.others)
    total = term = 1.0
    while at != end:
        if up:
            term *= (with_it - at) * (table.cases - at) / ((at + 1) * (table.others - with_it + at + 1))
            at += 1
        else:
            term *= at * (table.others - with_it + at) / ((with_it - at + 1) * (table.cases - at + 1))
            at -= 1
        total += term
        if term < _NOTHING * total:
            break
    return _log_chance(table, table.cases_with) + log(total)


def _log_chance(table: Table, cases_with: int) -> float:
    """The hypergeometric probability of so many cases with the feature, given the margins."""
    with_it = table.cases_with + table.others_with
    return (
        _log_choose(table.cases, cases_with)
        + _log_choose(table.others, with_it - cases_with)
        - _log_choose(table.cases + table.others, with_it)
    )


def _log_choose(all_of: int, chosen: int) -> float:
    return lgamma(all_of + 1) - lgamma(chosen + 1) - lgamma(all_of - chosen + 1)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A test whose null hypothesis is rejected: its place in what was given, and its q-value."""

    place: int
    q: float


def rejected(log_ps: Sequence[float], least: Sequence[float], rate: float) -> tuple[list[Rejected], int]:
    """What the procedure of Benjamini and Hochberg rejects at this false discovery rate, and among how many tests.

    ``least``: the smallest logarithm that each p-value could have had. Tests that could not have been rejected whatever
    the data say are left out of the count, as Tarone (1990) and Gilbert (2005) do: that depends on margins alone, and
    the rate stays what it is.
    """
    by_least = sorted(least)
    divisor = next((one for one in range(1, len(least) + 1) if bisect_right(by_least, log(rate / one)) <= one), 0)
    able = [place for place, one in enumerate(least) if divisor and one <= log(rate / divisor)]
    able.sort(key=lambda place: (log_ps[place], place))
    found: list[Rejected] = []
    q = 1.0
    for rank in range(len(able), 0, -1):
        q = min(q, exp(min(0.0, log_ps[able[rank - 1]] + log(len(able) / rank))))
        if q <= rate:
            found.append(Rejected(able[rank - 1], q))
    return found[::-1], len(able)


def difference_interval(table: Table, level: float = 0.95) -> tuple[float, float]:
    """The interval of the share among cases less the share among others: Newcombe's hybrid of Wilson's (1998)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    one, two = table.cases_with / table.cases, table.others_with / table.others
    one_low, one_high = _wilson(table.cases_with, table.cases, z)
    two_low, two_high = _wilson(table.others_with, table.others, z)
    low = one - two - sqrt((one - one_low) ** 2 + (two_high - two) ** 2)
    high = one - two + sqrt((one_high - one) ** 2 + (two - two_low) ** 2)
    return max(-1.0, low), min(1.0, high)


def _wilson(having: int, all_of: int, z: float) -> tuple[float, float]:
    middle = 2 * having + z * z
    half = z * sqrt(z * z + 4 * having * (1 - having / all_of))
    return (middle - half) / (2 * (all_of + z * z)), (middle + half) / (2 * (all_of + z * z))
