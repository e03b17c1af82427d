"""What must hold inside the entries of a catalogue whose references all resolve: patterns, chain, completeness."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from loganalyzer.catalogue.entry import Fault, Reading
from loganalyzer.catalogue.lookup import Catalogue, plain
from loganalyzer.catalogue.model import Cause, ErrorCode


def check(catalogue: Catalogue, reading: Reading) -> None:
    """Adds a fault to ``reading`` for each thing that does not hold."""
    found: list[tuple[str, str, str]] = []
    found += [("error", error.code, what) for error in catalogue.errors.values() for what in _faults_of_error(error)]
    found += [("cause", cause.id, what) for cause in catalogue.causes.values() for what in _faults_of_cause(cause)]
    for message in catalogue.messages:
        told = _does_not_find((message.regex,), message.text, "message")
        found += [("message", message.text, what) for what in told]
    for name in _shared_names(catalogue):
        kind = catalogue.kind_of(name) or "cause"
        found.append((kind, name, "causes, states and error codes must not share a name"))
    for node in sorted({edge.origin for edge in catalogue.edges if catalogue.reaches(edge.target, edge.origin)}):
        found.append((catalogue.kind_of(node) or "cause", node, "leads_to: it leads back to itself"))
    for owner, name, what in found:
        reading.faults.append(Fault(reading.defined[owner][name], name, what))


def _faults_of_error(error: ErrorCode) -> Iterator[str]:
    if not error.causes:
        yield "causes: is empty"
    for cause in error.documented_causes:
        if cause not in error.causes:
            yield f"documented_causes: {cause!r} is not among the causes"
    if (error.message is None) != (error.message_status == "none"):
        yield f"message_status: {error.message_status!r} does not go with the message"
    yield from _does_not_find((error.code_regex,), error.code, "code")
    yield from _does_not_find(error.message_regexes, error.message, "message")


def _faults_of_cause(cause: Cause) -> Iterator[str]:
    for key, value in (("evidence", cause.evidence), ("remedies", cause.remedies), ("docs", cause.docs)):
        if not value:
            yield f"{key}: is empty"
    if not cause.errors:
        yield "no error has this cause"
    for one in cause.evidence:
        if one.regex is not None:
            yield from _does_not_find((one.regex,), None, "evidence")


def _does_not_find(regexes: tuple[str, ...], text: str | None, kind: str) -> Iterator[str]:
    """Why regular expressions are of no use: one does not compile, or none finds the text (None: any will do)."""
    found = text is None
    for regex in regexes:
        try:
            found = re.search(regex, plain(text or "")) is not None or found
        except re.error as error:
            yield f"the regular expression {regex!r} does not compile: {error}"
    if not found:
        yield f"match: the {kind} does not find itself"


def _shared_names(catalogue: Catalogue) -> list[str]:
    codes = (name for error in catalogue.errors.values() for name in error.names)
    times = Counter((*catalogue.causes, *catalogue.states, *codes))
    return sorted(name for name in times if times[name] > 1 and catalogue.kind_of(name) is not None)
