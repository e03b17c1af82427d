"""What columns mean, from the table ``columns.yml``, which stands beside ``loganalyzer.schema``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import yaml


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column holds; the unit of its numbers and the zone of its times, where it has any."""

    meaning: str
    unit: str | None = None
    zone: str | None = None


#: Categories whose rows were made from events, and their own columns' group.
DERIVED: Final = ("config", "fact", "gap", "extension_operation", "attempt", "correlation")


@lru_cache(maxsize=1)
def groups() -> Mapping[str, Mapping[str, Meaning]]:
    """All meanings: group, then column."""
    text = files("loganalyzer").joinpath("columns.yml").read_text(encoding="utf-8")
    return {
        group: {column: Meaning(**entry) for column, entry in columns.items()}
        for group, columns in yaml.safe_load(text).items()
    }


def meaning_of(column: str, kinds: Sequence[str]) -> Meaning | None:
    """The meaning in the first of these groups that knows the column; None: a field of the source itself."""
    known = groups()
    return next((known[kind][column] for kind in kinds if column in known.get(kind, ())), None)
