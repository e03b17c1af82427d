"""Which bundles a change of rules concerns: a rule of one product says nothing of a machine that has no log of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Set
from typing import Final

import msgspec
import orjson

from loganalyzer.fleet.outcome import ScanSettings
from loganalyzer.rule_packs import rule_packs
from loganalyzer.sigma.rule import Correlation, Loaded, Rule
from loganalyzer.sigma.taxonomy import unmapped
from loganalyzer.signatures_in_use import rules_with

#: Stands for every product: of a rule without one, or with a log source of which each report tells that it is unknown.
EVERY: Final = "*"


class RulesInUse(msgspec.Struct, frozen=True):
    """The rules of a run, each with a hash of what it says and the products that it reads, by id."""

    rules: Mapping[str, tuple[str, tuple[str, ...]]]
    faults: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any rule, but not with where it stands in its file."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:12]

    def changed_products(self, before: RulesInUse) -> Set[str]:
        """The products whose machines other rules speak of than before."""
        changed = {one for one in {*self.rules, *before.rules} if self.rules.get(one) != before.rules.get(one)}
        told = {product for one in changed for side in (self, before) for product in side.rules.get(one, ("", ()))[1]}
        return told if self.faults == before.faults else {*told, EVERY}


def rules_in_use(settings: ScanSettings) -> RulesInUse:
    """The rules of this package, of plug-ins and of one's own.

    Raises:
        LogAnalyzerError: the rules of this package are broken.
    """
    loaded = rules_with(settings.rules, rule_packs())
    return RulesInUse({one.id: (_hash(one), _products(one)) for one in _all(loaded)}, tuple(map(str, loaded.faults)))


def _all(loaded: Loaded) -> tuple[Rule | Correlation, ...]:
    return (*loaded.rules, *loaded.correlations)


def _hash(one: Rule | Correlation) -> str:
    told = {name: value for name, value in one.to_json().items() if name != "location"}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _products(one: Rule | Correlation) -> tuple[str, ...]:
    return tuple(sorted({EVERY if unmapped(own) else own.product or EVERY for own in one.logsources}))
