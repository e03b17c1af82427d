"""Every cause that a guest shows has a supporting signature on each of its platforms, or a reason why there is none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from loganalyzer.catalogue import load_catalogue
from loganalyzer.pipeline import builtin_rules
from loganalyzer.sigma.rule import Correlation, Rule

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


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: f"{row['platform']}:{row['cause']}")
def test_a_cause_without_a_signature_says_why_and_is_one(row: Mapping[str, Any]) -> None:
    assert set(row) == {"cause", "platform", "reason"}
    assert row["cause"] in load_catalogue().causes
    assert row["reason"].strip()
    assert row["cause"] not in _supported()[row["platform"]]
    assert _excused(row["platform"]).count(row["cause"]) == 1
