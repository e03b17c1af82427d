"""Rules as the engine runs them: event rules and correlations, and what they say about a cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from loganalyzer.errors import Location, RuleError
from loganalyzer.schema import LogSource
from loganalyzer.sigma.ir import Condition, from_json, json_object, to_json

Role: TypeAlias = Literal["supports", "refutes", "fact"]
Strength: TypeAlias = Literal["definitive", "strong", "weak"]

CorrelationType: TypeAlias = Literal[
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
]
ThresholdOp: TypeAlias = Literal["lt", "lte", "gt", "gte", "eq", "neq"]

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


class Attribution(Struct, frozen=True):
    """The key ``loganalyzer``: which cause a match speaks for or against, and how strongly. A fact has no cause.

    ``needs_failure``: it is common where backups are well, and says something only beside a failed backup.
    """

    cause: str | None
    role: Role
    strength: Strength | None
    examples: tuple[Example, ...] = ()
    needs_failure: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """What an event rule and a correlation have in common.

    ``id`` is the UUID; a rule without one is called by its place. ``level`` and ``status`` are Sigma's words.
    ``taxonomy`` names the field names in use: Sigma's own (``sigma``) or this project's (``loganalyzer``).
    """

    id: str
    name: str | None
    title: str
    level: str | None
    status: str | None
    description: str | None
    taxonomy: str
    attribution: Attribution | None
    location: Location


@dataclass(frozen=True, slots=True)
class Rule(Signature):
    """One event rule: a condition over the events of a log source."""

    logsource: LogSource
    condition: Condition

    @property
    def logsources(self) -> tuple[LogSource, ...]:
        """The log sources that it reads."""
        return (self.logsource,)

    def to_json(self) -> dict[str, object]:
        """The rule as JSON's own types; `from_json` gives an equal rule back."""
        source = self.logsource
        return {
            **_signature_to_json(self),
            "logsource": [source.product, source.service, source.category],
            "condition": to_json(self.condition),
        }

    @classmethod
    def from_json(cls, data: object) -> Rule:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is not such a form.
        """
        plain: dict[str, Any] = dict(json_object(data))
        try:
            own = {"logsource": LogSource(*plain["logsource"]), "condition": from_json(plain["condition"])}
            return cls(**{**_signature_from_json(plain), **own})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a stored rule: {error}") from error


class Threshold(Struct, frozen=True):
    """A comparison of a correlation's count or value with a limit; integers are exact."""

    op: ThresholdOp
    limit: int | float


class Alternative(Struct, frozen=True):
    """One way in which an extended condition holds: ids of rules that must be ``present``, and ``absent``."""

    present: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Correlation(Signature):
    """A rule over the matches of other rules (Sigma's correlation rules specification 2.1).

    Args:
        rules: ids of the event rules and correlations that it refers to, in the order of the file.
        group_by: fields, or aliases of fields, whose values must be equal.
        timespan: seconds; the window is closed on both sides.
        aliases: alias to (id of a rule, field of that rule's events).
        thresholds: all of them must hold; empty if there are ``alternatives``.
        alternatives: the extended condition of a temporal correlation, any of which must hold.
        fields: what a ``value_*`` correlation counts or computes with.
        percentile: 0 to 100, of a ``value_percentile``.
        generate: whether the rules that it refers to are reported on their own as well.
        logsources: what the event rules below it read.
    """

    type: CorrelationType
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: int
    aliases: Mapping[str, Mapping[str, str]] = field(hash=False)
    thresholds: tuple[Threshold, ...]
    alternatives: tuple[Alternative, ...]
    fields: tuple[str, ...]
    percentile: int | None
    generate: bool
    logsources: tuple[LogSource, ...]

    def to_json(self) -> dict[str, object]:
        """The correlation as JSON's own types; `from_json` gives an equal one back."""
        return {
            **_signature_to_json(self),
            "type": self.type,
            "rules": list(self.rules),
            "group_by": list(self.group_by),
            "timespan": self.timespan,
            "aliases": {alias: dict(fields) for alias, fields in self.aliases.items()},
            "thresholds": [[threshold.op, threshold.limit] for threshold in self.thresholds],
            "alternatives": [[list(one.present), list(one.absent)] for one in self.alternatives],
            "fields": list(self.fields),
            "percentile": self.percentile,
            "generate": self.generate,
            "logsources": [[one.product, one.service, one.category] for one in self.logsources],
        }

    @classmethod
    def from_json(cls, data: object) -> Correlation:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is not such a form.
        """
        plain: dict[str, Any] = dict(json_object(data))
        try:
            alternatives = [Alternative(tuple(present), tuple(absent)) for present, absent in plain["alternatives"]]
            own = {
                "type": plain["type"],
                "rules": tuple(plain["rules"]),
                "group_by": tuple(plain["group_by"]),
                "timespan": plain["timespan"],
                "aliases": plain["aliases"],
                "thresholds": tuple(Threshold(*threshold) for threshold in plain["thresholds"]),
                "alternatives": tuple(alternatives),
                "fields": tuple(plain["fields"]),
                "percentile": plain["percentile"],
                "generate": plain["generate"],
                "logsources": tuple(LogSource(*parts) for parts in plain["logsources"]),
            }
            return cls(**{**_signature_from_json(plain), **own})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a stored correlation: {error}") from error


class Loaded(Struct, frozen=True):
    """Event rules in the order of their files, the faults of the documents that are no rules, and correlations.

    Filters are applied to the rules that they name. A correlation stands after those that it refers to.
    """

    rules: tuple[Rule, ...]
    faults: tuple[SigmaRuleError, ...]
    correlations: tuple[Correlation, ...] = ()

    @property
    def silent(self) -> frozenset[str]:
        """Ids of what is there for a correlation only, which does not ask for its own matches (``generate``)."""
        return frozenset(name for one in self.correlations if not one.generate for name in one.rules)


def _signature_to_json(signature: Signature) -> dict[str, object]:
    place, attribution = signature.location, signature.attribution
    return {
        "id": signature.id,
        "name": signature.name,
        "title": signature.title,
        "level": signature.level,
        "status": signature.status,
        "description": signature.description,
        "taxonomy": signature.taxonomy,
        "attribution": None if attribution is None else _attribution_to_json(attribution),
        "location": [place.path, place.line, place.column],
    }


def _signature_from_json(plain: Mapping[str, Any]) -> dict[str, Any]:
    attribution = plain["attribution"]
    names = ("id", "name", "title", "level", "status", "description", "taxonomy")
    return {
        **{name: plain[name] for name in names},
        "attribution": None if attribution is None else _attribution_from_json(attribution),
        "location": Location(*plain["location"]),
    }


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
        "needs_failure": attribution.needs_failure,
    }


def _attribution_from_json(data: dict[str, Any]) -> Attribution:
    examples = tuple(
        Example(**{**example, "events": None if example["events"] is None else tuple(example["events"])})
        for example in data["examples"]
    )
    return Attribution(data["cause"], data["role"], data["strength"], examples, data["needs_failure"])
