"""The parser kit for the XML files of a goal state: safe reading, the place of each element, one set of columns.

Sources: linux.md 3.1, 3.2, 3.4; windows.md 1.3. Entities, DTDs and the network are off, and a document that declares a
document type is refused. No column holds a password, protected settings or a signed address.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import polars as pl
from lxml import etree

from loganalyzer.parser import Parsed, Source, decode, rejected_whole
from loganalyzer.possessive import compile_possessive
from loganalyzer.schema import TIMESTAMP, EventFrame, LogSource, conform

LOGSOURCE = LogSource("azure", "goalstate")

#: The columns of every frame of ``LOGSOURCE``. ``kind``: goal_state, extension, settings, hosting_environment,
#: shared_config, ovf_env or placeholder. ``@timestamp`` is when the goal state was made, where the file says so.
GOAL_STATE_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "incarnation": pl.String(),
    "handler": pl.String(),
    "handler_version": pl.String(),
    "extension_name": pl.String(),
    "state": pl.String(),
    "sequence_number": pl.Int64(),
    "task_id": pl.String(),
    "command_start": TIMESTAMP,
    "key": pl.String(),
    "value": pl.String(),
}

#: Bytes of a document that are read. A goal state of hundreds of extensions has some; each copy costs its size again.
XML_LIMIT = 64 * 1024 * 1024

#: What agents from 2.8 leave in place of a goal state (linux.md 3.1). It is no damage.
PLACEHOLDER = "empty placeholder file"

_PROLOG_DOCTYPE = compile_possessive(r"\A(?:\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL | re.IGNORECASE)
_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]*\?>")
# Comments, CDATA and processing instructions are matched to be passed over: what looks like a tag in them is none.
_TAG = compile_possessive(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"
    r"|<(?P<name>[^\W\d][\w.\-:]*+)(?:\s++[\w.\-:]++\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'))*+\s*+/?>",
    re.DOTALL,
)
_LEAF_END = re.compile(r"[^<]*+</[^<>]*+>")
_INCARNATION_IN_PATH = re.compile(
    r"\.(\d+)\.xml$|(?:^|/)\d{4}-\d\d-\d\dT[\d:.\-]+(?:_incarnation)?_+(\d+)(?:-\d+)?(?:\.zip)?[/!][^/!]*$",
    re.IGNORECASE,
)

#: Turns the root of a document into rows: each the element that it cites, and its own columns.
ReadRoot = Callable[[etree._Element], Iterable[tuple[etree._Element, Mapping[str, object]]]]


def read_goal_state_file(source: Source, root_name: str, read_root: ReadRoot) -> Parsed:
    """Reads one XML file of a goal state; what a truncated or malformed file still gives is kept, with the damage.

    Rejected as a whole: a document type, no XML at all, or another root than ``root_name``.
    """
    if not source.data:
        return _result(source, [], ())
    if source.size > XML_LIMIT:
        return rejected_whole(source, f"an XML document of more than {XML_LIMIT >> 20} MiB is not read")
    text = decode(source.data)
    if _PROLOG_DOCTYPE.match(text):
        return rejected_whole(source, "refused: the document declares a DOCTYPE, which no goal state has")
    root, damage = _parse(text)
    if root is None:
        return rejected_whole(source, f"not XML: {damage or 'it holds no element'}")
    if root.getroottree().docinfo.internalDTD is not None:
        return rejected_whole(source, "refused: the document declares a DOCTYPE, which no goal state has")
    places = _Places(source, text, root)
    if PLACEHOLDER in (root.text or "") and len(root) == 0:
        row = {"kind": "placeholder", "value": content(root), "message": PLACEHOLDER}
        return _result(source, [places.of(root, row) | row], ())
    if name_of(root) != root_name:
        return rejected_whole(source, f"not a <{root_name}> document: its root is <{name_of(root)}>")
    common = {"incarnation": incarnation_of(source.path, root)}
    rows = [common | places.of(element, row) | dict(row) for element, row in read_root(root)]
    return _result(source, rows, (damage,) if damage else ())


def name_of(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return _local(str(element.tag))


def _local(name: str) -> str:
    """A name without its namespace. Not lxml's QName: recovery from damage leaves names that it refuses."""
    return name.rpartition("}")[2]


def elements(root: etree._Element, *names: str) -> Iterator[etree._Element]:
    """The root and all elements under it with one of these names, in any namespace, in document order."""
    for element in root.iter(etree.Element):
        if not names or name_of(element) in names:
            yield element


def attribute(element: etree._Element, name: str) -> str | None:
    """The value of an attribute by its name without case; None when absent or empty."""
    folded = name.casefold()
    keys = (key for key in element.keys() if _local(str(key)).casefold() == folded)  # noqa: SIM118  lxml's own
    key = next(keys, None)  # items() would look each value up by a walk over all attributes
    return None if key is None else (element.get(key) or "").strip() or None


def content(element: etree._Element) -> str | None:
    """The text of an element without blanks around it; None when there is none."""
    return (element.text or "").strip() or None


def setting_row(kind: str, key: str, value: str | None) -> dict[str, object]:
    """A row for one named value, readable as ``key=value``."""
    return {"kind": kind, "key": key, "value": value, "message": f"{key}={value or ''}"}


def incarnation_of(path: str, root: etree._Element) -> str | None:
    """The incarnation of a goal state: the document's own word, else the one in its path (linux.md 3.4)."""
    own = attribute(root, "goalStateIncarnation") or next(
        (content(child) for child in root if isinstance(child.tag, str) and name_of(child) == "Incarnation"), None
    )
    if own:
        return own
    found = _INCARNATION_IN_PATH.search(path)
    return (found[1] or found[2]) if found else None


def _parse(text: str) -> tuple[etree._Element | None, str | None]:
    """The root that can be read, and what is wrong with the text, if anything."""
    parser = etree.XMLParser(
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_pis=True,
        remove_comments=True,
    )
    # The text is Unicode already, so what it declares about its encoding is no longer true; lines keep their numbers.
    undeclared = _DECLARATION.sub(lambda found: "\n" * found[0].count("\n"), text.rstrip("\x00"))
    try:
        root = etree.fromstring(undeclared.encode(errors="replace"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return None, str(error)
    faults = [entry for entry in parser.error_log if entry.level >= etree.ErrorLevels.ERROR]
    return root, f"line {faults[0].line}: {faults[0].message}" if faults else None


class _Places:
    """Where the start tag of each element stands in the bytes.

    Tags are found in a text of one character a byte (or a UTF-16 unit), so that positions are offsets even among bad
    bytes. An element that only recovery made has no tag; it is cited with the tag before it.
    """

    def __init__(self, source: Source, text: str, root: etree._Element) -> None:
        self._source = source
        self._mark, self._width = _utf16(source, text)
        self._text = re.sub(r"[\U00010000-\U0010FFFF]", "\ufffd\ufffd", text)
        if self._width == 1:
            self._text = source.data.decode("latin-1")
        self._line_ends = [found.start() for found in re.finditer("\n", self._text)]
        self._spans = self._match(root)

    def of(self, element: etree._Element, row: Mapping[str, object]) -> dict[str, object]:
        """The citing columns of a row: the start tag, and to the end tag where the row shows the text between."""
        start, end = self._spans[element]
        if row.get("value") is not None and row["value"] == content(element):
            leaf = _LEAF_END.match(self._text, end)
            end = leaf.end() if leaf else end
        first, last = self._mark + start * self._width, self._mark + end * self._width
        return {
            "log.line": bisect_left(self._line_ends, start) + 1,
            "log.offset": first,
            "log.length": last - first,
            "event.original": self._original(first, last),
        }

    def _original(self, first: int, last: int) -> str:
        piece = self._source.data[first:last]
        encoding = "utf-8" if self._width == 1 else "utf-16-be" if piece.startswith(b"\x00") else "utf-16-le"
        return piece.decode(encoding, errors="replace")

    def _match(self, root: etree._Element) -> dict[etree._Element, tuple[int, int]]:
        """Goes through elements and tags in document order and pairs them by name."""
        by_name: dict[str, list[tuple[int, int]]] = {}
        for found in _TAG.finditer(self._text):
            if found["name"]:
                by_name.setdefault(found["name"].rpartition(":")[2], []).append(found.span())
        spans: dict[etree._Element, tuple[int, int]] = {}
        span = (0, 0)
        for element in root.iter(etree.Element):
            same = by_name.get(name_of(element), [])
            at = bisect_left(same, (span[1], 0))
            span = same[at] if at < len(same) else span
            spans[element] = span
        return spans


def _utf16(source: Source, text: str) -> tuple[int, int]:
    """Bytes of the byte order mark and bytes a unit: (0 or 2, 2) for UTF-16; (0, 1) else, where the mark is text."""
    mark = 2 if source.data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else 0
    units = len(text.encode("utf-16-le", errors="replace"))
    return (mark, 2) if source.size > 8 and abs(source.size - mark - units) <= 1 else (0, 1)


def _result(source: Source, rows: Sequence[Mapping[str, object]], damage: tuple[str, ...]) -> Parsed:
    lines = source.data.count(b"\n") + (not source.data.endswith(b"\n")) if source.data else 0
    schema: dict[str, pl.DataType] = {
        "@timestamp": TIMESTAMP,
        "event.original": pl.String(),
        "message": pl.String(),
        "host.name": pl.String(),
        **dict.fromkeys(("log.line", "log.offset", "log.length"), pl.Int64()),
        **GOAL_STATE_COLUMNS,
    }
    frame = pl.DataFrame(list(rows), schema=schema).with_columns(pl.int_range(pl.len()).alias("event.sequence"))
    return Parsed((EventFrame(LOGSOURCE, conform(frame)),), source.size, lines, damage=damage)
