"""Every cause that a guest shows has a supporting signature on each of its platforms, or a reason why there is none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from loganalyzer.catalogue import load_catalogue
from loganalyzer.sigma.rule import Correlation, Rule
from loganalyzer.signatures_in_use import builtin_rules, builtin_rules_with_examples

_TABLE = Path(__file__).parent.parent / "signatures" / "catalogue" / "no_signature.yml"
_ROWS: list[Mapping[str, Any]] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))


def _supported() -> Mapping[str, set[str]]:
    """Causes by the platform whose logs a supporting rule reads."""
    rules = builtin_rules()
    signatures: tuple[Rule | Correlation, ...] = (*rules.rules, *rules.correlations)
    found: dict[str, set[str]] = defaultdict(set)
    for one in signatures:
        said = one.attribution
        if said is not None and said.cause is not None and said.role == "supports":
            for source in one.logsources:
                found[source.product or "any"].add(said.cause)
    return found


def _excused(platform: str) -> list[str]:
    return [row["cause"] for row in _ROWS if row["platform"] == platform]


def test_every_cause_of_a_windows_guest_has_a_signature_or_a_reason() -> None:
    causes = load_catalogue().causes.values()
    shown = {cause.id for cause in causes if cause.platform in ("windows", "both")}
    assert shown - _supported()["windows"] - set(_excused("windows")) == set()
    assert len(shown) > 50


def test_every_cause_has_a_signature_somewhere_or_a_reason_for_every_place() -> None:
    excused = {row["cause"] for row in _ROWS if row["platform"] == "azure"}
    supported = set().union(*_supported().values())
    assert set(load_catalogue().causes) - supported - excused == set()


def test_every_cause_with_a_signature_has_an_example_that_fires_it_and_its_nearest_harmless_neighbour() -> None:
    loaded = builtin_rules_with_examples()
    signatures: tuple[Rule | Correlation, ...] = (*loaded.rules, *loaded.correlations)
    kinds: dict[str, set[bool]] = defaultdict(set)
    for one in signatures:
        said = one.attribution
        if said is not None and said.cause is not None and said.role == "supports":
            kinds[said.cause] |= {example.match for example in said.examples}
    assert [cause for cause, seen in kinds.items() if seen != {True, False}] == []
    assert len(kinds) > 120


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: f"{row['platform']}:{row['cause']}")
def test_a_cause_without_a_signature_says_why_and_is_one(row: Mapping[str, Any]) -> None:
    assert set(row) == {"cause", "platform", "reason"}
    assert row["cause"] in load_catalogue().causes
    assert row["reason"].strip()
    assert row["cause"] not in _supported()[row["platform"]]
    assert _excused(row["platform"]).count(row["cause"]) == 1
