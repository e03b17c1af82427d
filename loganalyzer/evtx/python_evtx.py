"""A program of its own: reads records of one chunk with python-evtx, spelled as the Rust binding spells them.

python-evtx forgives what the binding refuses (sizes, flags and ids that it does not need), but hostile BinXML makes it
run or grow without end. So nothing imports this module: ``second_reader`` starts it as a process, by its path, and
talks to it in frames (a length of four bytes, little-endian, then JSON or the bytes of a chunk). Its work is counted in
steps: nodes that are made, values that are spelled. A bound on steps refuses the same records on every machine.

A record is given only whole: its texts and nested values have a place in the event, the values end where the record
ends, and ``System`` names provider, id, channel, computer, and a likely time. Else it is refused with a reason.
(Definitions leave numbers without a place: lengths, and what classic providers do not write.)
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, TypeAlias

#: Bytes of memory that the process may address, where the platform has such a limit.
_MEMORY = 1 << 30
#: Elements within elements. Events have about six.
_DEEPEST = 40
#: Characters that count as one step when they are spelled.
_CHARACTERS_A_STEP = 64
#: Kinds of value that a sound definition always has a place for (held for 2,500 records of real logs).
_ALWAYS_PLACED = frozenset(
    ("WstringTypeNode", "StringTypeNode", "WstringArrayTypeNode", "BinaryTypeNode", "BXmlTypeNode")
)
#: Times of events that are believed: no system that writes this format is older.
_OLDEST, _LATEST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
#: Bytes behind the last value: the end token, padding to eight bytes.
_SLACK = 16

#: Bytes by which a value may differ from its declared size.
_MOST_PADDING = 4
#: The kind of a value that is a template instance itself.
_NESTED = 0x21

_HEAD, _SIZE_COPY = 24, 4
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}


class RefusedError(Exception):
    """Why a record is not given; the text is shown to people."""


class _NestedError(RefusedError):
    """Another definition of the element around it would not help."""


@dataclass
class Steps:
    """What may still be done: for one record (``left``), and for all that are asked for (``all_left``)."""

    a_record: int
    all_left: int
    left: int = 0

    def next_record(self) -> None:
        self.left = self.a_record

    def take(self, count: int = 1) -> None:
        """Raises _NestedError, which no other definition can mend, when there are none left."""
        self.left -= count
        self.all_left -= count
        if self.all_left < 0:
            raise _NestedError("not read: as much work as is allowed for a file has been done")
        if self.left < 0:
            raise _NestedError("not read: it takes more work than any real record")


@dataclass
class _Loading:
    """Names or definitions of a chunk by offset, read where they stand when they are asked for first."""

    load: Callable[[int], Any]
    known: dict[int, Any] = field(default_factory=dict)

    def __getitem__(self, offset: int) -> Any:
        if offset not in self.known:
            self.load(offset)
        return self.known[offset]

    def __setitem__(self, offset: int, node: Any) -> None:
        self.known[offset] = node


#: An event as the binding renders it, or why there is none.
Found: TypeAlias = tuple[dict[str, Any] | None, str | None]


def read_records(
    raw: bytes, places: Sequence[tuple[int, int]], steps: Steps, donors: Sequence[bytes] = ()
) -> list[Found]:
    """One for each (offset, length) of a chunk. Raises nothing that the bytes can cause.

    ``donors``: other chunks of the file. A definition that is damaged in this one may be whole in one of those.
    """
    chunk, others = _opened(raw), [_opened(donor) for donor in donors]
    found: list[Found] = []
    with _counted(steps):
        for offset, length in places:
            steps.next_record()
            try:
                found.append((_Record(raw, offset, length, chunk, others, steps).event(), None))
            except MemoryError:
                found.append((None, "not read: it takes more memory than any real record"))
            except Exception as fault:  # noqa: BLE001  # python-evtx raises whatever the damage leads to
                found.append((None, _worded(fault)))
    return found


def _worded(fault: Exception) -> str:
    if isinstance(fault, RefusedError):
        return str(fault)
    if isinstance(fault, RecursionError):
        return "not read: elements within elements without end"
    return " ".join(f"{type(fault).__name__}: {fault}".split())[:200]


def _opened(raw: bytes) -> Any:
    """A chunk of python-evtx. Its tables are not asked for: definitions are read where they stand."""
    from Evtx.Evtx import ChunkHeader

    chunk = ChunkHeader(raw, 0)
    names, definitions = _Loading(chunk.add_string), _Loading(chunk.add_template)
    chunk._strings, chunk._templates = names, definitions
    chunk.strings, chunk.templates = lambda: names, lambda: definitions
    return chunk


@contextmanager
def _counted(steps: Steps) -> Iterator[None]:
    """Every node that python-evtx makes is a step: its loops make one each time round."""
    from Evtx import Nodes

    make = Nodes.BXmlNode.__init__

    def counting(node: Any, *arguments: Any) -> None:
        steps.take()
        make(node, *arguments)

    Nodes.BXmlNode.__init__ = counting
    try:
        yield
    finally:
        Nodes.BXmlNode.__init__ = make


@dataclass
class _Record:
    """One record while it is read."""

    raw: bytes
    offset: int
    length: int
    chunk: Any
    donors: list[Any]
    steps: Steps

    def event(self) -> dict[str, Any]:
        start = self.offset + _HEAD
        slack = self.offset + self.length - _SIZE_COPY - self.values(self.instance(start)[1])[1]
        if not 0 <= slack <= _SLACK:
            raise RefusedError("its values do not end where it ends")
        name, event = self.fragment(start, 0)
        system = event.get("System") if isinstance(event, dict) else None
        if name != "Event" or not isinstance(system, dict):
            raise RefusedError("decoded, but it has no System element")
        self.check(system)
        return {name: event}

    def check(self, system: dict[str, Any]) -> None:
        """Values that every event has, and that damage to a definition or to a size takes from it or shifts."""
        fields = {
            "Provider": _attribute(system, "Provider", "Name") or _attribute(system, "Provider", "EventSourceName"),
            "EventID": _content(system.get("EventID")),
            "TimeCreated": _attribute(system, "TimeCreated", "SystemTime"),
        }
        missing = [name for name, value in fields.items() if value is None or value == ""]
        missing += [name for name in ("Channel", "Computer") if name not in system]  # empty in traces
        if missing:
            raise RefusedError(f"decoded, but without {', '.join(missing)}")
        if not str(fields["EventID"]).isdecimal():
            raise RefusedError("decoded, but its EventID is no number")
        try:
            created = datetime.fromisoformat(str(fields["TimeCreated"]))
        except ValueError:
            raise RefusedError("decoded, but its time is none") from None
        if not _OLDEST <= created.replace(tzinfo=UTC) < _LATEST:
            raise RefusedError(f"decoded, but its time is in the year {created.year}: its values are shifted")

    def instance(self, offset: int) -> tuple[int, int]:
        """Where the definition of a template instance is, and where its values are declared."""
        offset += 4 if self.raw[offset] & 0x0F == 0x0F else 0
        token, _, _, definition = struct.unpack_from("<BBII", self.raw, offset)
        if token & 0x0F != 0x0C:
            raise RefusedError("it holds no template instance")
        following = offset + 10
        if definition > offset:  # it stands here
            following += 24 + int(struct.unpack_from("<I", self.raw, definition + 20)[0])
        return definition, following

    def values(self, offset: int) -> tuple[list[Any], int]:
        """The values that are declared at an offset, as nodes of python-evtx, and where they end."""
        from Evtx.Nodes import get_variant_value

        count = struct.unpack_from("<I", self.raw, offset)[0]
        declared = [struct.unpack_from("<HB", self.raw, offset + 4 + 4 * row) for row in range(count)]
        at = offset + 4 + 4 * count
        values = []
        for size, kind in declared:
            value = get_variant_value(self.raw, at, self.chunk, self.chunk, kind, length=size)
            if kind != _NESTED and abs(size - value.length()) > _MOST_PADDING:
                raise RefusedError("a value is longer than it is declared")
            values.append(value)
            at += size
        return values, at

    def fragment(self, offset: int, depth: int) -> tuple[str, Any]:
        """The one element of a template instance with its values, by the first definition that has a place for them."""
        definition, declared = self.instance(offset)
        values, _ = self.values(declared)
        first: Exception | None = None
        for chunk, at in self.definitions(definition):
            try:
                return self.filled(chunk.templates()[at], values, depth)
            except _NestedError:
                raise
            except Exception as fault:  # noqa: BLE001
                first = first or fault
        raise _NestedError(_worded(first or RefusedError("it has no definition")))

    def definitions(self, offset: int) -> Iterator[tuple[Any, int]]:
        """The definition at an offset; then those of other chunks with the same GUID, which names its content."""
        yield self.chunk, offset
        guid = self.raw[offset + 4 : offset + 20]
        for donor in self.donors if len(guid) == 16 else ():
            self.steps.take()
            at = donor._buf.find(guid) - 4
            if at >= 0:
                yield donor, at

    def filled(self, template: Any, values: list[Any], depth: int) -> tuple[str, Any]:
        from Evtx.Nodes import OpenStartElementNode

        used: set[int] = set()
        elements = [node for node in template.children() if isinstance(node, OpenStartElementNode)]
        if [*map(_kind, template.children())] != ["StreamStart", "OpenStartElement", "EndOfStream"]:
            raise RefusedError("its definition is damaged: it is not one element")
        found = self.element(elements[0], values, used, depth)
        left = {type(value).__name__ for index, value in enumerate(values) if index not in used and value.length()}
        if left & _ALWAYS_PLACED:
            raise RefusedError("its definition is damaged: it has no place for some of the values")
        return found

    def element(self, node: Any, values: list[Any], used: set[int], depth: int) -> tuple[str, Any]:
        """A name and what the binding gives for it: a value, or an object of attributes, text and children."""
        from Evtx.Nodes import AttributeNode, BXmlTypeNode, OpenStartElementNode

        self.steps.take()
        if depth > _DEEPEST:
            raise RefusedError("not read: elements within elements without end")
        if not _is_closed([*map(_kind, node.children())]):
            raise RefusedError("its definition is damaged: an element does not end as it began")
        attributes: dict[str, Any] = {}
        children: dict[str, Any] = {}
        texts: list[Any] = []
        for child in node.children():
            if isinstance(child, AttributeNode):
                value = self.content(child.attribute_value(), values, used)
                if value is not None:
                    attributes[_name(child.attribute_name().string())] = value
            elif isinstance(child, OpenStartElementNode):
                name, form = self.element(child, values, used, depth + 1)
                if name == child.tag_name():
                    _add(children, name, form)
                else:
                    children[name] = form  # of two named values of one name the binding's JSON keeps the later
            elif (nested := self.substituted(child, values, used)) is not None and isinstance(nested, BXmlTypeNode):
                _add(children, *self.fragment(nested.offset(), depth + 1))
            elif (value := self.content(child, values, used)) is not None:
                texts.append(value)
        return _named(_name(node.tag_name()), attributes, children, texts)

    def substituted(self, node: Any, values: list[Any], used: set[int]) -> Any:
        """The value that stands for a substitution; None: the node is none."""
        from Evtx.Nodes import ConditionalSubstitutionNode, NormalSubstitutionNode

        if not isinstance(node, NormalSubstitutionNode | ConditionalSubstitutionNode):
            return None
        used.add(node.index())
        return values[node.index()]

    def content(self, node: Any, values: list[Any], used: set[int]) -> Any:
        """The value of a literal, of an entity or of a substitution; None: there is none."""
        from Evtx import Nodes

        value = self.substituted(node, values, used)
        if value is not None:
            return self.spelled(value)
        if isinstance(node, Nodes.ValueNode):
            return self.spelled(node.value())
        if isinstance(node, Nodes.CDataSectionNode):
            return str(node.cdata())
        if isinstance(node, Nodes.EntityReferenceNode):
            return _ENTITIES.get(node.entity_reference())
        if isinstance(node, Nodes.CharacterReferenceNode):
            return chr(node.entity())
        if isinstance(node, Nodes.TemplateInstanceNode):
            raise RefusedError("its definition is damaged: a template inside of an element")
        return None

    def spelled(self, value: Any) -> Any:
        """A value as the binding spells it, from its bytes."""
        size = value.length()
        self.steps.take(1 + size // _CHARACTERS_A_STEP)
        kind = type(value).__name__
        if kind == "NullTypeNode":
            return None
        start = value.offset() + (2 if kind in ("WstringTypeNode", "StringTypeNode") and value._length is None else 0)
        raw = value._buf[start : value.offset() + size]  # of this chunk, or of the one whose definition it is
        spell = _SPELLINGS.get(kind)
        if spell is None:
            raise RefusedError(f"a value of a kind that is not known here ({kind})")
        return spell(raw)


def _kind(node: Any) -> str:
    return type(node).__name__.removesuffix("Node")


def _is_closed(kinds: list[str]) -> bool:
    """Attributes, then the end of an empty element, or the end of its head, content, and its own end."""
    attributes = next((row for row, kind in enumerate(kinds) if kind != "Attribute"), len(kinds))
    rest = kinds[attributes:]
    if rest == ["CloseEmptyElement"]:
        return True
    marks = {"Attribute", "CloseStartElement", "CloseEmptyElement", "CloseElement"}
    return len(rest) > 1 and (rest[0], rest[-1]) == ("CloseStartElement", "CloseElement") and not marks & {*rest[1:-1]}


def _name(text: str) -> str:
    if not text or not (text[0].isalpha() or text[0] == "_") or not all(one.isalnum() or one in "_-.:" for one in text):
        raise RefusedError("its definition is damaged: a name that is none")
    return text


def _add(children: dict[str, Any], name: str, form: Any) -> None:
    """Elements of one name are all kept, later ones as ``name_1``, as the binding does it."""
    free, count = name, 0
    while free in children:
        count += 1
        free = f"{name}_{count}"
    children[free] = form


def _attribute(system: dict[str, Any], element: str, name: str) -> Any:
    form = system.get(element)
    attributes = form.get("#attributes") if isinstance(form, dict) else None
    return attributes.get(name) if isinstance(attributes, dict) else None


def _content(form: Any) -> Any:
    return form.get("#text") if isinstance(form, dict) else form


def _named(name: str, attributes: dict[str, Any], children: dict[str, Any], texts: list[Any]) -> tuple[str, Any]:
    """``<Data Name="a">1</Data>`` is the value 1 under the name a."""
    text = None if not texts else texts[0] if len(texts) == 1 else "".join(str(one) for one in texts)
    if name == "Data" and isinstance(attributes.get("Name"), str) and not children:
        return attributes["Name"], text
    form: dict[str, Any] = {"#attributes": attributes} if attributes else {}
    if name == "Data" and not children:
        form["#text"] = text or ""
    elif text is not None and (form or children):
        form["#text"] = text
    form |= children
    return name, form or text


def _text(raw: bytes) -> str:
    return raw.decode("utf-16-le", errors="replace").rstrip("\0")


def _texts(raw: bytes) -> Any:
    """Texts that end with NUL; a single one is no list."""
    text = raw.decode("utf-16-le", errors="replace")
    parts = (text[:-1] if text.endswith("\0") else text).split("\0")
    return parts if len(parts) > 1 else parts[0]


def _time(raw: bytes) -> str:
    count = int.from_bytes(raw, "little")
    with suppress(OverflowError):
        return f"{_EPOCH + timedelta(microseconds=count // 10):%Y-%m-%dT%H:%M:%S.%fZ}"
    raise RefusedError("a time past the year 9999")


def _system_time(raw: bytes) -> str:
    year, month, _, day, hour, minute, second, thousandth = struct.unpack("<8H", raw)
    with suppress(ValueError):
        return f"{datetime(year, month, day, hour, minute, second, thousandth * 1000):%Y-%m-%dT%H:%M:%S.%fZ}"
    raise RefusedError("a time that is none")


def _guid(raw: bytes) -> str:
    first, second, third = struct.unpack("<IHH", raw[:8])
    return f"{first:08X}-{second:04X}-{third:04X}-{raw[8:10].hex().upper()}-{raw[10:].hex().upper()}"


def _sid(raw: bytes) -> str:
    parts = struct.unpack(f"<{raw[1]}I", raw[8 : 8 + 4 * raw[1]])
    return "-".join(["S", str(raw[0]), str(int.from_bytes(raw[2:8], "big")), *map(str, parts)])


def _number(signed: bool) -> Callable[[bytes], int]:
    return lambda raw: int.from_bytes(raw, "little", signed=signed)


def _boolean(raw: bytes) -> bool | int:
    value = int.from_bytes(raw, "little")
    return bool(value) if value < 2 else value


def _hexadecimal(raw: bytes) -> str:
    return f"0x{int.from_bytes(raw, 'little'):x}"


#: How the binding spells a value, by the class of python-evtx for its kind (windows.md 6.2).
_SPELLINGS: dict[str, Callable[[bytes], Any]] = {
    "WstringTypeNode": _text,
    "StringTypeNode": lambda raw: raw.decode("cp1252", errors="replace").rstrip("\0"),
    "SignedByteTypeNode": _number(True),
    "UnsignedByteTypeNode": _number(False),
    "SignedWordTypeNode": _number(True),
    "UnsignedWordTypeNode": _number(False),
    "SignedDwordTypeNode": _number(True),
    "UnsignedDwordTypeNode": _number(False),
    "SignedQwordTypeNode": _number(True),
    "UnsignedQwordTypeNode": _number(False),
    "FloatTypeNode": lambda raw: struct.unpack("<f", raw)[0],
    "DoubleTypeNode": lambda raw: struct.unpack("<d", raw)[0],
    "BooleanTypeNode": _boolean,
    "BinaryTypeNode": lambda raw: raw.hex().upper(),
    "GuidTypeNode": _guid,
    "SizeTypeNode": _hexadecimal,
    "FiletimeTypeNode": _time,
    "SystemtimeTypeNode": _system_time,
    "SIDTypeNode": _sid,
    "Hex32TypeNode": _hexadecimal,
    "Hex64TypeNode": _hexadecimal,
    "WstringArrayTypeNode": _texts,
}


def main() -> None:
    """Answers requests on standard input (what is asked, chunks) with one frame each, until the input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a word printed by a library would break a frame
    _limit_memory()
    sys.path[:] = json.loads(_received(requests))
    while asked := _received(requests):
        request = json.loads(asked)
        steps = Steps(request["steps_a_record"], request["steps"])
        places = [(offset, length) for offset, length in request["places"]]
        chunk, *donors = [_received(requests) for _ in range(request["chunks"])]
        try:
            found = read_records(chunk, places, steps, donors)
        except ImportError:
            found = [(None, "not read by python-evtx, which is not installed")] * len(places)
        texts = [
            None if form is None else json.dumps(form, ensure_ascii=False, separators=(",", ":")) for form, _ in found
        ]
        faults = [why for _, why in found]
        done = request["steps"] - max(0, steps.all_left)
        _send(answers, json.dumps({"events": texts, "faults": faults, "steps": done}).encode())


def _compact(form: dict[str, Any]) -> str:
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limit, some systems refuse to set it
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _received(stream: BinaryIO) -> bytes:
    """The next frame; nothing: the other side is gone."""
    head = stream.read(4)
    return stream.read(int.from_bytes(head, "little")) if len(head) == 4 else b""


def _send(stream: BinaryIO, frame: bytes) -> None:
    stream.write(len(frame).to_bytes(4, "little") + frame)
    stream.flush()


if __name__ == "__main__":
    main()
