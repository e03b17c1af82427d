"""Rules over events whose log source leaves open which channel they are from.

Such events are those that do not say what they are, and those of which only a category of Windows events is known,
which Sigma maps to several channels. A rule is tried on them by its fields.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl
from msgspec import Struct, structs

from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.bind import as_text
from loganalyzer.sigma.match import Match, Matches, Unable, match
from loganalyzer.sigma.rule import Rule
from loganalyzer.sigma.taxonomy import OWN_CATEGORIES, WINDOWS_CATEGORIES, Scope, scopes, unmapped

_ANY = LogSource()


def leaves_open(source: LogSource) -> bool:
    """Whether events of this log source are to be matched here."""
    return source == _ANY or (source.product == "windows" and source.category in WINDOWS_CATEGORIES)


def match_undeclared(rules: Sequence[Rule], frames: Sequence[EventFrame]) -> Matches:
    """Runs each rule on the frames that may hold its events.

    Every rule whose log source is known is tried on events that say nothing of themselves; of a category with event
    ids, on rows that have one of them, or none. On events of a known category, the rules that cover it are tried.
    """
    by_id = {rule.id: rule for rule in rules}
    found: set[tuple[int, int, str]] = set()
    ran: set[str] = set()
    failed: dict[str, str] = {}
    for index, frame in enumerate(frames):
        for view, group in _by_view(rules, frame).items():
            numbers, rows = view.of(frame.rows)
            outcome = match([replace(rule, logsource=_ANY) for rule in group], [EventFrame(_ANY, rows)])
            found |= {(index, numbers[one.row], one.rule.id) for one in outcome.matches}
            ran.update(outcome.ran)
            failed.update((one.rule_id, one.why) for one in outcome.unable)
    return Matches(
        matches=tuple(Match(by_id[rule_id], index, row) for index, row, rule_id in sorted(found)),
        ran=tuple(sorted(ran - failed.keys())),
        no_source=tuple(sorted(by_id.keys() - ran - failed.keys())),
        unable=tuple(sorted(Unable(rule_id, why) for rule_id, why in failed.items())),
    )


def joined(rules: Sequence[Rule], declared: Matches, undeclared: Matches, first_frame: int) -> Matches:
    """Both results as one; the frames of ``undeclared`` are those from ``first_frame`` on."""
    ran = {*declared.ran, *undeclared.ran}
    inert = {rule.id for rule in rules if unmapped(rule.logsource) is not None and rule.id in undeclared.ran}
    unable = {one.rule_id: one.why for one in (*undeclared.unable, *declared.unable) if one.rule_id not in inert}
    moved = (structs.replace(one, frame=one.frame + first_frame) for one in undeclared.matches)
    return Matches(
        matches=(*declared.matches, *moved),
        ran=tuple(sorted(ran - unable.keys())),
        no_source=tuple(sorted({rule.id for rule in rules} - ran - unable.keys())),
        unable=tuple(sorted(Unable(rule_id, why) for rule_id, why in unable.items())),
    )


class _View(Struct, frozen=True):
    """Rows that a rule may speak of (None: all), and names that it uses for fields."""

    event_ids: frozenset[int] | None
    fields: tuple[tuple[str, str], ...]

    def of(self, rows: pl.DataFrame) -> tuple[Sequence[int], pl.DataFrame]:
        """The rows with their numbers."""
        numbers: Sequence[int] = range(rows.height)
        if self.event_ids is not None:
            event_id = as_text(pl.col("EventID"), rows.schema["EventID"])
            wanted = pl.lit(True) if event_id is None else event_id.is_in([str(one) for one in self.event_ids])
            chosen = rows.select(wanted.fill_null(True).alias("wanted"))["wanted"].arg_true()
            numbers, rows = chosen.to_list(), rows[chosen]
        return numbers, in_words_of(dict(self.fields), rows)


def _by_view(rules: Sequence[Rule], frame: EventFrame) -> Mapping[_View, list[Rule]]:
    """The rules to be tried on a frame, by what they are to see of it."""
    groups: dict[_View, list[Rule]] = defaultdict(list)
    columns = frame.rows.columns
    for rule in rules:
        views = {
            _View(
                scope.event_ids if "EventID" in columns else None,
                tuple((name, other) for name, other in scope.fields.items() if other in columns),
            )
            for scope in _scopes(rule, frame.logsource)
        }
        for view in views:
            groups[view].append(rule)
    return groups


def _scopes(rule: Rule, source: LogSource) -> Iterator[Scope]:
    mapped = scopes(rule.logsource)
    if source == _ANY:
        if unmapped(rule.logsource) is None and rule.logsource.category not in OWN_CATEGORIES:
            narrow = [scope for scope in mapped if scope.event_ids is not None]
            yield from narrow or mapped
    elif rule.logsource.covers(source):
        yield from (replace(scope, event_ids=None) for scope in mapped)


def in_words_of(fields: Mapping[str, str], rows: pl.DataFrame) -> pl.DataFrame:
    """Fills each field from the column that means the same, where the event has none itself. Lists are left alone."""
    filled = []
    for name, other in fields.items():
        known = [one for one in (name, other) if one in rows.columns]
        if other in known and not any(rows.schema[one].is_nested() for one in known):
            filled.append(pl.coalesce(pl.col(one).cast(pl.String) for one in known).alias(name))
    return rows.with_columns(filled) if filled else rows
