"""The label of a case: what is true of a bundle, written by somebody who knows, for the scanner to be measured by.

A case is a folder laid out as a bundle, with a ``label.yaml`` that is no part of the bundle. Labels come from many
hands: they are read with the safe loader, within a bound, and each fault names its line.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import yaml

from loganalyzer.catalogue.entry import Entry, Reading
from loganalyzer.errors import Location, UsageError

Decidable: TypeAlias = Literal["yes", "partly", "no"]

#: The name of a label in the folder of its case.
LABEL_FILE: Final = "label.yaml"
#: Bytes of a label.
LARGEST_LABEL: Final = 64 << 10

#: Faults told of one label.
MOST_FAULTS: Final = 20

#: In place of a cause: nothing stops a backup.
HEALTHY: Final = "healthy"
#: In ``must_not``: every cause that is neither expected nor acceptable.
ANY: Final = "any"

DECIDABLE: Final[tuple[Decidable, ...]] = get_args(Decidable)
_FIELDS: Final = ("expected_causes", "acceptable_causes", "must_not", "healthy", "decidable", "perfect_verdict")
_HELP: Final = "'loganalyzer signatures test --help' has the fields of a label"


@dataclass(frozen=True, slots=True)
class Label:
    """What is true of a case.

    ``expected``: ids of causes that are the right first answer, the main one first, or `HEALTHY`. ``acceptable``: also
    right as a first answer. ``must_not``: wrong anywhere among the diagnoses. ``decidable``: whether a perfect tool
    finds the cause in these files; ``perfect_verdict``: what such a tool would say, in words.
    """

    expected: tuple[str, ...]
    acceptable: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    healthy: bool = False
    decidable: Decidable = "yes"
    perfect_verdict: str | None = None

    @property
    def accepted(self) -> frozenset[str]:
        """Everything that is right as a first answer."""
        return frozenset({*self.expected, *self.acceptable, *((HEALTHY,) if self.healthy else ())})


def read_label(text: str, path: str, causes: Collection[str]) -> tuple[Label | None, tuple[UsageError, ...]]:
    """The label that a YAML text holds, or the faults in it with their places; ``causes`` are the ids there are.

    Fields that only people read (source, title, reasoning, ...) may have any name.
    """
    reading = Reading()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, (UsageError("the label is empty", Location(path), _HELP),)
        _plain_words(node)
        label = _label(Entry(reading, path, node, ""))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
        place = Location(path, mark.line + 1 if mark is not None else None)
        return None, (UsageError(f"the label is no YAML: {what}", place, "mend the YAML here, or just above"),)
    except (ValueError, RecursionError) as error:  # nested more deeply than any label; an impossible character
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return None, (UsageError(f"the label cannot be read: {what}", Location(path), _HELP),)
    faults = [UsageError(fault.what, fault.where, _HELP) for fault in reading.faults]
    faults += _unknown_causes(reading, causes)
    if len(faults) > MOST_FAULTS:
        more = f"and {len(faults) - MOST_FAULTS} more faults"
        faults[MOST_FAULTS:] = [UsageError(more, Location(path), _HELP)]
    return (None, tuple(faults)) if faults else (label, ())


def _plain_words(node: yaml.Node) -> None:
    """``decidable: no`` without quotes is a truth value in YAML, and meant as the word."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == "decidable" and value.tag == "tag:yaml.org,2002:bool":
            value.tag = "tag:yaml.org,2002:str"
            value.value = "yes" if value.value.lower() in ("yes", "true", "on") else "no"


def _label(entry: Entry) -> Label:
    expected = entry.refs("expected_causes", "cause")
    label = Label(
        expected=expected,
        acceptable=entry.refs("acceptable_causes", "cause"),
        must_not=entry.refs("must_not", "forbidden cause"),
        healthy=entry.flag("healthy") if entry.has("healthy") else expected == (HEALTHY,),
        decidable=entry.maybe_choice("decidable", DECIDABLE) or "yes",
        perfect_verdict=entry.maybe_text("perfect_verdict"),
    )
    if not label.healthy and not expected:
        entry.fault("expected_causes: a case that is not healthy needs at least one cause")
    for cause in label.must_not:
        if cause in label.accepted:
            entry.fault(f"must_not: {cause!r} is expected or acceptable as well")
    for name in entry.names():
        near = () if name in _FIELDS else difflib.get_close_matches(name, _FIELDS, 1, 0.85)
        if near:
            entry.fault(f"unknown field {name!r}: is it {near[0]}?")
    return label


def _unknown_causes(reading: Reading, causes: Collection[str]) -> list[UsageError]:
    faults = []
    for kind, name, place, _ in reading.pending:
        if name in causes or name == HEALTHY or (name == ANY and kind == "forbidden cause"):
            continue
        near = difflib.get_close_matches(name.lower(), (*causes, HEALTHY), 3, 0.6)
        help = f"is it {' or '.join(near)}?" if near else "'loganalyzer signatures list' has the causes with signatures"
        faults.append(UsageError(f"there is no cause {name!r}", place, help))
    return faults
