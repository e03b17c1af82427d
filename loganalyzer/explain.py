"""Explains what somebody pasted: an error code, a number, a cause, a state, or text from the portal. A pure lookup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from loganalyzer.catalogue import Catalogue, Cause, Doc, ErrorCode, FoundCode, FoundMessage, NumberMeaning, State

#: What may stand before a number: the program that wrote it, an equals sign, a colon, a full stop, a hash.
_NUMBER = re.compile(
    r"\s*(?P<program>VMSnapshotLinux|VMSnapshot|WALinuxAgent|waagent|hostStatusCode\w*|StatusCode|errorCode|code|error)?"
    r"(?:\.StatusCode)?[\s:=#.\"']*(?P<number>-?\d{1,9})[\s\"']*",
    re.IGNORECASE,
)
_PROGRAMS = {
    "vmsnapshotlinux": ("VMSnapshotLinux", "VMSnapshotLinux host call"),
    "vmsnapshot": ("VMSnapshotLinux", "VMSnapshotLinux host call"),
    "walinuxagent": ("WALinuxAgent",),
    "waagent": ("WALinuxAgent",),
}
#: How many suggestions are made, from how many words of a query, and how like a word must be (difflib's ratio).
_SUGGESTIONS = 5
_WORDS = 50
_CLOSE = 0.75


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the catalogue says to a query.

    ``errors`` are those found in the query, or those that the cause explains that was asked for. ``causes`` are the
    candidates in the order of the catalogue. ``leads_to`` is what a cause or state that was asked for leads to.
    ``suggestions`` are known names like the query; nothing but suggestions: the query is not documented.
    """

    query: str
    errors: tuple[FoundCode, ...] = ()
    messages: tuple[FoundMessage, ...] = ()
    numbers: tuple[NumberMeaning, ...] = ()
    states: tuple[State, ...] = ()
    causes: tuple[Cause, ...] = ()
    leads_to: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether anything is documented about the query."""
        return bool(self.errors or self.messages or self.numbers or self.states or self.causes)

    def to_json(self) -> dict[str, object]:
        """The same as plain values for JSON; empty fields stand as empty lists, unknown ones as null."""
        return {
            "query": self.query,
            "errors": [_error(found) for found in self.errors],
            "messages": [
                {"text": said.message.text, "summary": said.message.summary, "doc": _doc(said.message.doc)}
                for said in self.messages
            ],
            "numbers": [_number(meaning) for meaning in self.numbers],
            "states": [{"id": state.id, "title": state.title, "signs": list(state.signs)} for state in self.states],
            "causes": [_cause(cause) for cause in self.causes],
            "leads_to": list(self.leads_to),
            "suggestions": list(self.suggestions),
        }


def explain(catalogue: Catalogue, text: str) -> Explanation:
    """Explains a code or alias (any case), a number (``400094``, ``VMSnapshotLinux 76``), a cause id, a state id, or
    pasted text with codes or messages in it. Unknown text gives suggestions.
    """
    query = text.strip()
    name = query.lower()
    error = catalogue.error(query)
    if error is not None:
        return _of_errors(catalogue, query, (FoundCode(error, "code", query),))
    if name in catalogue.causes:
        cause = catalogue.causes[name]
        found = tuple(FoundCode(known, "code", known.code) for known in catalogue.errors_of(name))
        return Explanation(query, errors=found, causes=(cause,), leads_to=catalogue.downstream(name))
    if name in catalogue.states:
        leads_to, causes = catalogue.downstream(name), catalogue.upstream_causes(name)
        found_causes = tuple(catalogue.causes[cause] for cause in causes)
        return Explanation(query, states=(catalogue.states[name],), causes=found_causes, leads_to=leads_to)
    numbered = _NUMBER.fullmatch(query)
    if numbered is not None:
        return _of_number(catalogue, query, int(numbered["number"]), numbered["program"])
    messages = catalogue.find_messages(query)
    explanation = _of_errors(catalogue, query, catalogue.find_codes(query), messages)
    return explanation if explanation.found else Explanation(query, suggestions=_suggestions(catalogue, query))


def _of_errors(
    catalogue: Catalogue, query: str, found: tuple[FoundCode, ...], messages: tuple[FoundMessage, ...] = ()
) -> Explanation:
    named = {cause for one in found for cause in one.error.causes}
    return Explanation(query, errors=found, messages=messages, causes=_in_order(catalogue, named))


def _of_number(catalogue: Catalogue, query: str, number: int, program: str | None) -> Explanation:
    wanted = _PROGRAMS.get((program or "").lower())
    if program is not None and program.lower().startswith("hoststatuscode"):
        wanted = ("VMSnapshotLinux host call",)
    meanings = tuple(one for one in catalogue.numbered(number) if wanted is None or one.program in wanted)
    codes = dict.fromkeys(code for one in meanings for code in (one.azure_backup_error, one.error) if code is not None)
    found = tuple(FoundCode(catalogue.errors[code], "number", str(number)) for code in codes)
    named = {cause for one in meanings for cause in one.causes}
    if not meanings:
        return Explanation(query, suggestions=_like_number(catalogue, number))
    return Explanation(query, errors=found, numbers=meanings, causes=_in_order(catalogue, named))


def _in_order(catalogue: Catalogue, named: set[str]) -> tuple[Cause, ...]:
    return tuple(cause for cause in catalogue.causes.values() if cause.id in named)


def _suggestions(catalogue: Catalogue, query: str) -> tuple[str, ...]:
    """Names that look like the query or a word of it, then causes whose id and title hold most of its words."""
    names = [name for error in catalogue.errors.values() for name in error.names]
    names += [name.rpartition(".")[2] for name in catalogue.errors if "." in name]
    meant = {name.lower(): name for name in [*names, *catalogue.causes, *catalogue.states]}
    words = dict.fromkeys([query.lower(), *re.findall(r"[\w.-]{4,}", query.lower())][:_WORDS])
    near = [meant[like] for word in words for like in get_close_matches(word, meant, _SUGGESTIONS, _CLOSE)]
    said = {cause.id: re.findall(r"\w+", f"{cause.id} {cause.title}".lower()) for cause in catalogue.causes.values()}
    held = {name: sum(any(own.startswith(word) for own in said[name]) for word in words if word) for name in said}
    near += sorted((name for name in held if held[name]), key=lambda name: -held[name])
    return tuple(dict.fromkeys(near))[:_SUGGESTIONS]


def _like_number(catalogue: Catalogue, number: int) -> tuple[str, ...]:
    known = [str(error.numeric) for error in catalogue.errors.values() if error.numeric is not None]
    return tuple(get_close_matches(str(number), known, _SUGGESTIONS, 0.6))


def _error(found: FoundCode) -> dict[str, object]:
    error: ErrorCode = found.error
    return {
        "code": error.code,
        "by": found.by,
        "matched": found.matched,
        "message": error.message,
        "summary": error.summary,
        "doc": _doc(error.doc),
        "wrapper": error.wrapper,
        "causes": list(error.causes),
        "note": error.note,
    }


def _number(meaning: NumberMeaning) -> dict[str, object]:
    return {
        "program": meaning.program,
        "number": meaning.number,
        "name": meaning.name,
        "meaning": meaning.meaning,
        "error": meaning.error,
        "azure_backup_error": meaning.azure_backup_error,
    }


def _cause(cause: Cause) -> dict[str, object]:
    return {
        "cause": cause.id,
        "title": cause.title,
        "platform": cause.platform,
        "guest_visible": cause.guest_visible,
        "umbrella": cause.umbrella,
        "explanation": cause.explanation,
        "remedies": list(cause.remedies),
        "collect": [{"artefact": one.artefact, "what": one.what, "command": one.command} for one in cause.collect],
        "error_codes": list(cause.errors),
        "docs": [_doc(doc) for doc in cause.docs],
        "note": cause.note,
    }


def _doc(doc: Doc) -> dict[str, object]:
    return {"title": doc.title, "url": doc.url}
