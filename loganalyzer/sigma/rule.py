"""A rule as the engine runs it: its condition, its log source and what it says about a cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from loganalyzer.errors import Location, RuleError
from loganalyzer.schema import LogSource
from loganalyzer.sigma.ir import Condition, from_json, json_object, to_json

Role: TypeAlias = Literal["supports", "refutes", "fact"]
Strength: TypeAlias = Literal["definitive", "strong", "weak"]

#: ``unreadable``: no YAML; ``invalid``: no Sigma rule, or the key ``loganalyzer`` is wrong; ``unsupported``: valid, but
#: beyond this engine; ``quality``: it works, and a built-in rule must be better than that.
FaultKind: TypeAlias = Literal["unreadable", "invalid", "unsupported", "quality"]


class SigmaRuleError(RuleError):
    """One fault of one rule: what, where, help, and of which kind."""

    def __init__(self, kind: FaultKind, what: str, where: Location | None, help: str) -> None:
        super().__init__(what, where, help)
        self.kind: FaultKind = kind


@dataclass(frozen=True, slots=True)
class Example:
    """A proof inside a rule: what must match it, or must not.

    Exactly one of ``raw`` (text of a log, read by ``parser`` under ``path``, which some parsers take facts from),
    ``event`` (one row of a frame) and ``events`` (several) is set. ``count``: how many rows must match (None: any).
    """

    name: str
    match: bool
    raw: str | None = None
    parser: str | None = None
    path: str | None = None
    event: Mapping[str, object] | None = field(default=None, hash=False)
    events: tuple[Mapping[str, object], ...] | None = field(default=None, hash=False)
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """The key ``loganalyzer``: which cause a match speaks for or against, and how strongly. A fact has no cause."""

    cause: str | None
    role: Role
    strength: Strength | None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One event rule. ``id`` is the UUID; a rule without one is called by its place.

    ``level`` and ``status`` are Sigma's words.
    ``taxonomy`` names the field names in use: Sigma's own (``sigma``) or this project's (``loganalyzer``).
    """

    id: str
    name: str | None
    title: str
    level: str | None
    status: str | None
    description: str | None
    taxonomy: str
    logsource: LogSource
    condition: Condition
    attribution: Attribution | None
    location: Location

    def to_json(self) -> dict[str, object]:
        """The rule as JSON's own types; `from_json` gives an equal rule back."""
        source, place = self.logsource, self.location
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "level": self.level,
            "status": self.status,
            "description": self.description,
            "taxonomy": self.taxonomy,
            "logsource": [source.product, source.service, source.category],
            "condition": to_json(self.condition),
            "attribution": None if self.attribution is None else _attribution_to_json(self.attribution),
            "location": [place.path, place.line, place.column],
        }

    @classmethod
    def from_json(cls, data: object) -> Rule:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is not such a form.
        """
        plain: dict[str, Any] = dict(json_object(data))
        try:
            attribution = plain["attribution"]
            return cls(
                **{
                    **plain,
                    "logsource": LogSource(*plain["logsource"]),
                    "condition": from_json(plain["condition"]),
                    "attribution": None if attribution is None else _attribution_from_json(attribution),
                    "location": Location(*plain["location"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a stored rule: {error}") from error


def _attribution_to_json(attribution: Attribution) -> dict[str, object]:
    examples = [
        {
            "name": example.name,
            "match": example.match,
            "raw": example.raw,
            "parser": example.parser,
            "path": example.path,
            "event": None if example.event is None else dict(example.event),
            "events": None if example.events is None else [dict(event) for event in example.events],
            "count": example.count,
        }
        for example in attribution.examples
    ]
    return {
        "cause": attribution.cause,
        "role": attribution.role,
        "strength": attribution.strength,
        "examples": examples,
    }


def _attribution_from_json(data: dict[str, Any]) -> Attribution:
    examples = tuple(
        Example(**{**example, "events": None if example["events"] is None else tuple(example["events"])})
        for example in data["examples"]
    )
    return Attribution(data["cause"], data["role"], data["strength"], examples)
