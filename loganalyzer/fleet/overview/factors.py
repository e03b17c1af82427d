"""Common factors: what machines with a cause share, and the others lack, beyond what chance gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final

from loganalyzer.fleet.overview.exact import Table, difference_interval, least_log_p, log_p, rejected
from loganalyzer.fleet.overview.machines import Feature

#: A cause of fewer machines has nothing in common that chance does not give.
LEAST_MACHINES: Final = 3
_LN_10: Final = log(10)


@dataclass(frozen=True, slots=True)
class Factor:
    """What ``cases_with`` of ``cases`` machines with a cause have, and ``others_with`` of ``others``.

    ``features``: all that exactly these machines have. ``difference``: of the shares, with its interval at 95 %.
    ``p_log10``: of Fisher's exact test, two-sided. ``q``: the least false discovery rate at which it is told.
    """

    cause: str
    features: tuple[str, ...]
    cases_with: int
    cases: int
    others_with: int
    others: int
    difference: float
    difference_low: float
    difference_high: float
    odds_ratio: float | None
    p_log10: float
    q: float


def common_factors(causes: Mapping[str, int], features: Sequence[Feature], machines: int, rate: float) -> list[Factor]:
    """The factors of each cause, the least probable first; of all that is told a share of ``rate`` may be chance.

    ``causes``: the machines of each, as bits. One test is made for each set of machines, however many features have it.
    """
    everyone = (1 << machines) - 1
    labels: dict[int, list[str]] = defaultdict(list)
    for one in features:
        if 1 < one.machines.bit_count() < machines:
            labels[one.machines].append(one.label)
    # Those that lean the other way are counted too: what is looked at must not depend on what is found.
    tests = [
        (cause, own, _table(own, cases, everyone))
        for cause, cases in sorted(causes.items())
        if LEAST_MACHINES <= cases.bit_count() < machines
        for own in labels
    ]
    tables = [table for _, _, table in tests]
    found, _ = rejected([log_p(one) for one in tables], [least_log_p(one) for one in tables], rate)
    told = [_factor(*tests[one.place], labels, one.q) for one in found if tables[one.place].leans_to_cases]
    return sorted(told, key=lambda one: (one.p_log10, -one.difference, one.cause, one.features))


def _table(own: int, cases: int, everyone: int) -> Table:
    others = everyone & ~cases
    return Table((own & cases).bit_count(), cases.bit_count(), (own & others).bit_count(), others.bit_count())


def _factor(cause: str, own: int, table: Table, labels: Mapping[int, Sequence[str]], q: float) -> Factor:
    low, high = difference_interval(table)
    return Factor(
        cause,
        tuple(sorted(labels[own])),
        table.cases_with,
        table.cases,
        table.others_with,
        table.others,
        table.cases_with / table.cases - table.others_with / table.others,
        low,
        high,
        table.odds_ratio,
        log_p(table) / _LN_10,
        q,
    )
