"""What must hold between the entries of a catalogue whose references all resolve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from loganalyzer.catalogue.entry import Fault, Reading
from loganalyzer.catalogue.lookup import Catalogue, plain
from loganalyzer.catalogue.model import ErrorCode


def check(catalogue: Catalogue, reading: Reading) -> None:
    """Adds a fault to ``reading`` for each thing that does not hold."""
    for error in catalogue.errors.values():
        for what in _faults_of_error(error):
            reading.faults.append(Fault(reading.defined["error"][error.code], error.code, what))
    for cause in catalogue.causes.values():
        for key, value in (("evidence", cause.evidence), ("remedies", cause.remedies), ("docs", cause.docs)):
            if not value:
                reading.faults.append(Fault(reading.defined["cause"][cause.id], cause.id, f"{key}: is empty"))
        if not cause.errors:
            reading.faults.append(Fault(reading.defined["cause"][cause.id], cause.id, "no error has this cause"))
    names = [
        *catalogue.causes,
        *catalogue.states,
        *(name for error in catalogue.errors.values() for name in error.names),
    ]
    for name in sorted(name for name, times in Counter(names).items() if times > 1):
        kind = "cause" if name in catalogue.causes else "state" if name in catalogue.states else "error"
        place = reading.defined[kind].get(name)
        if place is not None:
            reading.faults.append(Fault(place, name, "causes, states and error codes must not share a name"))
    for node in sorted(_on_a_cycle(catalogue)):
        kind = catalogue.kind_of(node) or "cause"
        reading.faults.append(Fault(reading.defined[kind][node], node, "leads_to: it leads back to itself"))


def _faults_of_error(error: ErrorCode) -> Iterator[str]:
    if not error.causes:
        yield "causes: is empty"
    for cause in error.documented_causes:
        if cause not in error.causes:
            yield f"documented_causes: {cause!r} is not among the causes"
    if error.code_pattern.search(error.code) is None:
        yield "match: the code does not find itself"
    if (error.message is None) != (error.message_status == "none"):
        yield f"message_status: {error.message_status!r} does not go with the message"
    if error.message and not any(pattern.search(plain(error.message)) for pattern in error.message_patterns):
        yield "match: the message does not find itself"


def _on_a_cycle(catalogue: Catalogue) -> set[str]:
    return {edge.origin for edge in catalogue.edges if catalogue.reaches(edge.target, edge.origin)}
