"""The parser kit for objects as PowerShell's Format-List prints them: keys and values with their colons in one column.

    Name       : vm07
    VMAgent    :
      Statuses[0] :
        Code      : ProvisioningState/succeeded
    Properties : @{level=CanNotDelete; notes=}

An object ends at a blank line, or where a key of it comes again. Deeper keys are members of the key above that has no
value, ``Name[0]`` is an element of a list, and lines that only go on with a value are indented to the value's column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from loganalyzer.parser_listing import Line

__all__ = ["ListedObject", "listed_objects", "looks_listed"]

#: The colon stands off its key, which tells a list from prose with colons.
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][\w.-]{0,60}(?:\[\d{1,4}\])?)(?P<pad> *) :(?:[ \t](?P<value>.*)|)$")
_ELEMENT = re.compile(r"(?P<name>.+)\[\d+\]")
_HASH = re.compile(r"@\{(?P<inside>.*)\}", re.DOTALL)
_MEMBER = re.compile(r"(?:^|;\s*)(?P<key>[A-Za-z][\w.]{0,60})=")
#: So many keys make an object; fewer are a remark.
_FEWEST = 2
_DEEPEST = 12
_MOST_CONTINUED = 5_000


@dataclass(frozen=True, slots=True)
class ListedObject:
    """One object and the neighbouring lines that it stands on."""

    value: dict[str, object]
    lines: Sequence[Line]


@dataclass(slots=True)
class _Entry:
    indent: int
    key: str
    parts: list[str]


def looks_listed(text: str) -> bool:
    """Whether a text has at least two lines in a row that are keys of such a list."""
    before = False
    for line in text.split("\n")[:400]:
        now = _KEY.match(line.rstrip("\r")) is not None
        if now and before:
            return True
        before = now
    return False


def listed_objects(lines: Sequence[Line]) -> list[ListedObject]:
    """The objects of a text, whatever stands around them."""
    found: list[ListedObject] = []
    for block in _blocks(lines):
        entries = _entries(block)
        if len(entries) >= _FEWEST:
            value, _ = _members(entries, 0, 0, 0)
            found.append(ListedObject(value, block))
    return found


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Runs of lines that hold an object each: from a key to the next blank line, or until its first key comes again."""
    block: list[Line] = []
    first, column = "", 0
    for line in lines:
        found = _KEY.match(line.text)
        goes_on = bool(block) and found is None and line.indent > column and len(block) < _MOST_CONTINUED
        if found is None and not goes_on:
            if block:
                yield block
            block = []
            continue
        if found is not None:
            top = not block
            if block and found["key"] == first and line.indent == block[0].indent:
                yield block
                block, top = [], True
            if top:
                first = found["key"]
            column = line.indent
        block.append(line)
    if block:
        yield block


def _entries(block: Sequence[Line]) -> list[_Entry]:
    entries: list[_Entry] = []
    for line in block:
        found = _KEY.match(line.text)
        if found is not None:
            entries.append(_Entry(len(found["indent"]), found["key"], [found["value"] or ""]))
        elif entries:
            entries[-1].parts.append(line.text.strip())
    return entries


def _members(entries: Sequence[_Entry], place: int, indent: int, depth: int) -> tuple[dict[str, object], int]:
    """The members from ``place`` on that stand at this indent or deeper, and where they end."""
    members: dict[str, object] = {}
    while place < len(entries) and entries[place].indent >= indent:
        entry = entries[place]
        place += 1
        value: object = _value(entry.parts)
        if value is None and place < len(entries) and entries[place].indent > entry.indent and depth < _DEEPEST:
            value, place = _members(entries, place, entries[place].indent, depth + 1)
        element = _ELEMENT.fullmatch(entry.key)
        if element is None:
            members.setdefault(entry.key, value)
            continue
        listed = members.setdefault(element["name"], [])
        if isinstance(listed, list):
            listed.append(value)
    return members, place


def _value(parts: Sequence[str]) -> object:
    """What a value says: JSON, ``@{a=b; c=d}``, ``{a, b}``, a truth value, text; None: nothing."""
    whole = "".join(parts).strip()
    if whole.startswith(("{", "[")):
        try:
            value: object = orjson.loads(whole)
        except orjson.JSONDecodeError:
            pass
        else:
            return value
    if (inside := _HASH.fullmatch(whole)) is not None:
        return _hash(inside["inside"])
    broken = len(parts) > 1 and " " not in parts[0].strip()  # an id is broken at the width, text between words
    text = whole if broken else " ".join(part.strip() for part in parts).strip()
    if text in ("True", "False"):
        return text == "True"
    if text.startswith("{") and text.endswith("}"):
        return [one.strip() for one in text[1:-1].split(",") if one.strip()]
    return text or None


def _hash(inside: str) -> dict[str, object]:
    keys = list(_MEMBER.finditer(inside))
    ends = [*(key.start() for key in keys[1:]), len(inside)]
    values = (inside[key.end() : end].strip() for key, end in zip(keys, ends, strict=True))
    return {key["key"]: value or None for key, value in zip(keys, values, strict=True)}
