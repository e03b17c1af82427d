"""Typed reading of YAML entries: every fault is collected with its file and line, so that all are mended at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources.abc import Traversable
from typing import TypeVar

import yaml
from msgspec import Struct

from loganalyzer.errors import CatalogueError, Location

#: libyaml's loader is six times as fast; the pure Python one reads the same.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"
_NUMBER = "tag:yaml.org,2002:int"
_FLAG = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"

Value = TypeVar("Value")
Word = TypeVar("Word", bound=str)


class Fault(Struct, frozen=True):
    """Something wrong in the data: where, in which entry, what."""

    where: Location
    entry: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.entry}: {self.what}" if self.entry else f"{self.where}: {self.what}"


@dataclass
class Reading:
    """One reading of all files: the faults so far, the ids defined and the references still to be checked."""

    faults: list[Fault] = field(default_factory=list)
    defined: dict[str, dict[str, Location]] = field(default_factory=dict)
    pending: list[tuple[str, str, Location, str]] = field(default_factory=list)

    def entry(self, file: Traversable) -> Entry:
        """The mapping that is the whole file; an empty one, and a fault, when it cannot be read as such."""
        place = Location(str(file))
        try:
            node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_LOADER)
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(Fault(place, "", f"cannot be read: {error}"))
            node = None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark is not None else None
            self.faults.append(Fault(Location(str(file), line), "", f"is no YAML: {getattr(error, 'problem', error)}"))
            node = None
        if isinstance(node, yaml.SequenceNode):  # a file that is one list: its entries under the key ""
            key = yaml.ScalarNode(_TEXT, "", node.start_mark, node.end_mark)
            node = yaml.MappingNode("tag:yaml.org,2002:map", [(key, node)], node.start_mark, node.end_mark)
        return Entry(self, str(file), node, "")

    def define(self, kind: str, name: str, entry: Entry) -> None:
        """Notes that ``name`` exists; a second one of the same kind is a fault."""
        names = self.defined.setdefault(kind, {})
        if name in names:
            entry.fault(f"there is a {kind} {name!r} already, at {names[name]}")
        names.setdefault(name, entry.place())

    def check_references(self) -> None:
        """Adds a fault for each reference to something that no entry defines."""
        for kind, name, place, owner in self.pending:
            if name not in self.defined.get(kind, {}):
                self.faults.append(Fault(place, owner, f"there is no {kind} {name!r}"))

    def raise_faults(self) -> None:
        """Raises:
        CatalogueError: with every fault, if there is one.
        """
        if self.faults:
            listed = "\n".join(f"  {fault}" for fault in self.faults)
            raise CatalogueError(
                f"the catalogue has {len(self.faults)} fault(s):\n{listed}",
                self.faults[0].where,
                "mend the named entries; the top of each file says what its fields mean",
            )


class Entry:
    """A mapping of a YAML file, read key by key. A key that is never asked for is a fault once ``finish`` is called."""

    def __init__(self, reading: Reading, file: str, node: yaml.Node | None, label: str) -> None:
        self.reading = reading
        self.label = label
        self._file = file
        self._node = node
        self._values: dict[str, yaml.Node] = {}
        self._asked: set[str] = set()
        if isinstance(node, yaml.MappingNode):
            self._values = {str(key.value): value for key, value in reversed(node.value)}
            if not label:
                named = (self._values[key].value for key in ("id", "code", "from", "text") if key in self._values)
                self.label = str(next(named, ""))
            for key, value in node.value:
                if self._values[str(key.value)] is not value:
                    self.fault(f"the key {key.value!r} stands here twice", value)
        elif node is not None:
            self.fault("must be a mapping of keys to values")

    def place(self, node: yaml.Node | None = None) -> Location:
        """Where this entry, or a node in it, stands."""
        marked = node or self._node
        return Location(self._file, marked.start_mark.line + 1 if marked is not None else None)

    def fault(self, what: str, node: yaml.Node | None = None) -> None:
        """Notes that something is wrong here."""
        self.reading.faults.append(Fault(self.place(node), self.label, what))

    def finish(self) -> None:
        """Notes a fault for each key that nobody knows."""
        for key, node in self._values.items():
            if key not in self._asked:
                self.fault(f"unknown key {key!r}", node)

    def has(self, key: str) -> bool:
        """Whether the key is there, null included."""
        return key in self._values

    def text(self, key: str) -> str:
        """A required text."""
        value = self.maybe_text(key)
        if value is None:
            self._missing(key)
        return value or ""

    def maybe_text(self, key: str) -> str | None:
        """A text, or None when the key is absent or null."""
        return self._scalar(key, _TEXT, "text (put it in quotes)")

    def number(self, key: str) -> int:
        """A required whole number."""
        value = self.maybe_number(key)
        if value is None:
            self._missing(key)
        return value or 0

    def maybe_number(self, key: str) -> int | None:
        """A whole number, or None."""
        value = self._scalar(key, _NUMBER, "a whole number")
        return None if value is None else int(value)

    def flag(self, key: str) -> bool:
        """true or false; absent is false."""
        value = self._scalar(key, _FLAG, "true or false")
        return value is not None and value.lower() in ("true", "yes", "on")

    def day(self, key: str) -> date | None:
        """A day in ISO form, or None."""
        value = self.maybe_text(key)
        try:
            return None if value is None else date.fromisoformat(value)
        except ValueError:
            self.fault(f"{key}: {value!r} is no day of the form 2025-11-12", self._values[key])
            return None

    def choice(self, key: str, allowed: Sequence[Word]) -> Word:
        """A required word out of ``allowed``."""
        value = self.maybe_choice(key, allowed)
        if value is None and not self._values.get(key):
            self._missing(key)
        return value or allowed[0]

    def maybe_choice(self, key: str, allowed: Sequence[Word]) -> Word | None:
        """A word out of ``allowed``, or None."""
        text = self.maybe_text(key)
        if text is None:
            return None
        value = next((word for word in allowed if word == text), None)
        if value is None:
            self.fault(f"{key}: {text!r} is none of {', '.join(allowed)}", self._values[key])
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; absent is empty."""
        return tuple(node.value for node in self._items(key) if self._is(node, _TEXT, f"{key}: must be texts"))

    def ref(self, key: str, kind: str) -> str:
        """A required reference to something of ``kind``, checked when all files are read."""
        name = self.text(key)
        if name:
            self.refer(kind, name, self._values[key])
        return name

    def maybe_ref(self, key: str, kind: str) -> str | None:
        """A reference, or None when the key is absent or null."""
        return self.ref(key, kind) if self.maybe_text(key) is not None else None

    def refs(self, key: str, kind: str) -> tuple[str, ...]:
        """A list of references, each once; absent is empty."""
        nodes = [node for node in self._items(key) if self._is(node, _TEXT, f"{key}: must be texts")]
        names = tuple(node.value for node in nodes)
        for node in nodes:
            self.refer(kind, node.value, node)
            if names.count(node.value) > 1:
                self.fault(f"{key}: {node.value!r} is named twice", node)
        return tuple(dict.fromkeys(names))

    def refer(self, kind: str, name: str, node: yaml.Node | None = None) -> None:
        """Notes a reference for the check at the end."""
        self.reading.pending.append((kind, name, self.place(node), self.label))

    def each(self, key: str, build: Callable[[Entry], Value]) -> tuple[Value, ...]:
        """A list of mappings, each turned into a value by ``build``; absent is empty."""
        return tuple(self._build(node, build) for node in self._items(key))

    def one(self, key: str, build: Callable[[Entry], Value]) -> Value:
        """A required mapping, turned into a value by ``build``."""
        if key not in self._values:
            self._missing(key)
        self._asked.add(key)
        return self._build(self._values.get(key), build)

    def names(self) -> tuple[str, ...]:
        """The keys of a mapping whose keys are free, such as column names."""
        return tuple(self._values)

    def _build(self, node: yaml.Node | None, build: Callable[[Entry], Value]) -> Value:
        entry = Entry(self.reading, self._file, node, self.label)
        value = build(entry)
        entry.finish()
        return value

    def _items(self, key: str) -> list[yaml.Node]:
        self._asked.add(key)
        node = self._values.get(key)
        if node is None or node.tag == _NULL:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(f"{key}: must be a list", node)
            return []
        return list(node.value)

    def _scalar(self, key: str, tag: str, kind: str) -> str | None:
        self._asked.add(key)
        node = self._values.get(key)
        if node is None or node.tag == _NULL:
            return None
        return str(node.value) if self._is(node, tag, f"{key}: must be {kind}") else None

    def _is(self, node: yaml.Node, tag: str, else_fault: str) -> bool:
        fits = isinstance(node, yaml.ScalarNode) and node.tag == tag
        if not fits:
            self.fault(else_fault, node)
        return fits

    def _missing(self, key: str) -> None:
        if key not in self._values or self._values[key].tag == _NULL:
            self.fault(f"the key {key!r} is missing")
