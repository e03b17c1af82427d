"""The catalogue as one value, and what can be asked of it: by code, by number, by pasted text, along the chain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

from msgspec import Struct

from loganalyzer.catalogue.model import (
    Artefact,
    Cause,
    DatedFact,
    Edge,
    ErrorCode,
    FailureMode,
    GuideStep,
    HostStatusCode,
    Message,
    NamedCode,
    NodeKind,
    Source,
    State,
    Trap,
    VmSnapshotCode,
)

_STRAIGHT = str.maketrans(
    {
        **dict.fromkeys("‘’‛ʼ′`´", "'"),
        **dict.fromkeys("“”„‟«»", '"'),
        **dict.fromkeys("‐‑‒–—−", "-"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad"),
    }
)


def plain(text: str) -> str:
    """Text as patterns expect it: composed characters, straight quotes and dashes, single spaces, nothing invisible."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_STRAIGHT).split())


class FoundCode(Struct, frozen=True):
    """An error found in a text: by its code, by its documented number, or only by its message; ``matched`` is plain."""

    error: ErrorCode
    by: Literal["code", "number", "message"]
    matched: str


class FoundMessage(Struct, frozen=True):
    """A documented message without a code, found in a text."""

    message: Message
    matched: str


class NumberMeaning(Struct, frozen=True):
    """What a number means to one program. ``error`` and ``causes`` are empty where nothing is documented."""

    program: Literal["Azure Backup", "VMSnapshotLinux", "VMSnapshotLinux host call", "WALinuxAgent"]
    number: int
    name: str
    meaning: str | None
    error: str | None
    azure_backup_error: str | None
    causes: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """Everything that is documented, in the order of the files. References between entries all resolve."""

    version: int
    compiled: date
    newest_article: date | None
    sources: Mapping[str, Source]
    artefacts: Mapping[str, Artefact]
    errors: Mapping[str, ErrorCode]
    causes: Mapping[str, Cause]
    states: Mapping[str, State]
    edges: tuple[Edge, ...]
    facts: Mapping[str, DatedFact]
    messages: tuple[Message, ...]
    guide: tuple[GuideStep, ...]
    traps: Mapping[str, Trap]
    failure_modes: Mapping[str, FailureMode]
    vmsnapshot_codes: Mapping[int, VmSnapshotCode]
    host_status_codes: Mapping[int, HostStatusCode]
    script_status: tuple[NamedCode, ...]
    consistency_types: tuple[NamedCode, ...]
    agent_handler_codes: tuple[NamedCode, ...]
    goal_state_codes: tuple[NamedCode, ...]

    def error(self, code_or_alias: str) -> ErrorCode | None:
        """The error of this code or alias, in any case; None: not documented."""
        return self._spellings.get(code_or_alias.strip().lower())

    def errors_of(self, cause: str) -> tuple[ErrorCode, ...]:
        """The errors that a cause explains, in the catalogue's order.

        Raises:
            KeyError: there is no such cause.
        """
        return tuple(self.errors[code] for code in self.causes[cause].errors)

    def kind_of(self, node: str) -> NodeKind | None:
        """Whether a name on the chain is a cause, a state or an error; None: it is nothing."""
        if node in self.causes:
            return "cause"
        if node in self.states:
            return "state"
        return "error" if node in self.errors else None

    def downstream(self, node: str) -> tuple[str, ...]:
        """What a cause or state leads to directly: ids of causes and states, and error codes."""
        return tuple(edge.target for edge in self._leaving.get(node, ()))

    def upstream(self, node: str) -> tuple[str, ...]:
        """What leads directly to a cause, state or error code."""
        return self._arriving.get(node, ())

    def upstream_causes(self, node: str) -> tuple[str, ...]:
        """All causes from which the chain reaches ``node``, through states too, in the catalogue's order."""
        return tuple(cause for cause in self.causes if cause != node and self.reaches(cause, node))

    def reaches(self, origin: str, target: str) -> bool:
        """Whether the chain leads from ``origin`` to ``target``; a node reaches itself."""
        return origin == target or target in self._reachable(origin)

    def path(self, origin: str, target: str) -> tuple[str, ...] | None:
        """The shortest chain from ``origin`` to ``target``, both included; of equals the first by the files' order."""
        before: dict[str, str] = {}
        ring = [origin]
        seen = {origin}
        while ring and target not in seen:
            following = []
            for node in ring:
                for edge in self._leaving.get(node, ()):
                    if edge.target not in seen:
                        seen.add(edge.target)
                        before[edge.target] = node
                        following.append(edge.target)
            ring = following
        if target not in seen:
            return None
        chain = [target]
        while chain[-1] != origin:
            chain.append(before[chain[-1]])
        return tuple(reversed(chain))

    def find_codes(self, text: str) -> tuple[FoundCode, ...]:
        """The errors that a text speaks of: by code or number in the order of the text, then by message.

        Quotes, dashes and white space need not be those of the documentation. A message that several errors share
        stands for all of them, unless one of them stands in the text by its code. Longer messages come first.
        """
        text = plain(text)
        named = self._named_in(text)
        spans = {found.error.code: self._spans(found.error, text) for found in named}
        taken = [span for own in spans.values() for span in own]
        said = []
        for error in self.errors.values():
            own = [] if error.code in spans else self._spans(error, text)
            own = [span for span in own if not any(span[0] < end and start < span[1] for start, end in taken)]
            if own:
                start, end = max(own, key=lambda span: span[1] - span[0])
                said.append(FoundCode(error, "message", text[start:end]))
        return (*named, *sorted(said, key=lambda found: -len(found.matched)))

    def find_messages(self, text: str) -> tuple[FoundMessage, ...]:
        """The documented messages without a code that a text holds."""
        text = plain(text)
        found = ((message, re.search(message.regex, text)) for message in self.messages)
        return tuple(FoundMessage(message, match.group()) for message, match in found if match is not None)

    def numbered(self, number: int) -> tuple[NumberMeaning, ...]:
        """What a number can mean: to the backup service, to VMSnapshotLinux, to its host call, to the Linux agent."""
        return tuple(self._meanings(number))

    def _meanings(self, number: int) -> Iterator[NumberMeaning]:
        for error in self.errors.values():
            if error.numeric == number and error.scope != "guest-code":
                name, causes = error.code, error.causes
                yield NumberMeaning("Azure Backup", number, name, error.message, error.code, error.code, causes)
        status = self.vmsnapshot_codes.get(number)
        if status is not None:
            said = status.message or status.note
            service = status.azure_backup_error
            yield NumberMeaning("VMSnapshotLinux", number, status.name, said, status.error, service, status.causes)
        host = self.host_status_codes.get(number)
        if host is not None:
            program: Literal["VMSnapshotLinux host call"] = "VMSnapshotLinux host call"
            yield NumberMeaning(program, number, "hostStatusCode", host.meaning, None, None, host.causes)
        for code in (*self.agent_handler_codes, *self.goal_state_codes):
            if code.code == number:
                known = self.errors[code.error] if code.error is not None else None
                summary, causes = (known.summary, known.causes) if known is not None else (None, ())
                yield NumberMeaning("WALinuxAgent", number, code.name, summary, code.error, None, causes)

    def _named_in(self, text: str) -> tuple[FoundCode, ...]:
        hits: list[tuple[int, FoundCode]] = []
        for error in self.errors.values():
            match = self._patterns[error.code][0].search(text)
            if match is not None:
                hits.append((match.start(), FoundCode(error, "code", match.group())))
            elif error.numeric is not None and error.scope != "guest-code":
                number = re.search(rf"(?<![\w.]){error.numeric}(?![\w.]\w|\w)", text)
                if number is not None:
                    hits.append((number.start(), FoundCode(error, "number", number.group())))
        return tuple(found for _, found in sorted(hits, key=lambda hit: hit[0]))

    def _spans(self, error: ErrorCode, text: str) -> list[tuple[int, int]]:
        return [match.span() for pattern in self._patterns[error.code][1:] for match in pattern.finditer(text)]

    def _reachable(self, origin: str) -> frozenset[str]:
        known = self._closure.get(origin)
        if known is None:
            seen: set[str] = set()
            ahead = list(self.downstream(origin))
            while ahead:
                node = ahead.pop()
                if node not in seen:
                    seen.add(node)
                    ahead.extend(self.downstream(node))
            known = self._closure[origin] = frozenset(seen)
        return known

    @cached_property
    def _patterns(self) -> Mapping[str, tuple[re.Pattern[str], ...]]:
        """For each error the pattern of its code, then those of its message; compiled when text is first searched."""
        return {
            error.code: tuple(re.compile(regex) for regex in (error.code_regex, *error.message_regexes))
            for error in self.errors.values()
        }

    @cached_property
    def _closure(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _spellings(self) -> Mapping[str, ErrorCode]:
        return {name.lower(): error for error in self.errors.values() for name in error.names}

    @cached_property
    def _leaving(self) -> Mapping[str, tuple[Edge, ...]]:
        origins: dict[str, list[Edge]] = {}
        for edge in self.edges:
            origins.setdefault(edge.origin, []).append(edge)
        return {origin: tuple(edges) for origin, edges in origins.items()}

    @cached_property
    def _arriving(self) -> Mapping[str, tuple[str, ...]]:
        targets: dict[str, list[str]] = {}
        for edge in self.edges:
            targets.setdefault(edge.target, []).append(edge.origin)
        return {target: tuple(origins) for target, origins in targets.items()}
