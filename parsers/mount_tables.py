"""What ``df``, ``lsblk`` and ``findmnt`` print: a table under a line of headings, several of them in one file too.

Columns are told by where their headings stand, because ``lsblk -f`` leaves fields empty. Sizes are rounded by the
programs (powers of 1024). Sources: df(1), lsblk(8), findmnt(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, listing
from loganalyzer.parser_mounts import (
    LOGSOURCE,
    LONGEST_LINE,
    MOUNT_COLUMNS,
    claim_by_line,
    is_read_only,
    percent_of,
    size_in_bytes,
)

_DF = (
    r"Filesystem\s+(?:Type\s+)?(?:Inodes|Size|\d*[KMB]?-?blocks)\s+I?Used\s+(?:I?Free|I?Avail(?:able)?)"
    r"\s+(?:I?Use%|Capacity)\s+Mounted on"
)
_LSBLK = r"NAME\s+(?:[A-Z:%-]+\s+)*(?:SIZE|FSTYPE|MOUNTPOINTS?|UUID)\b[A-Z:%\s-]*"
_FINDMNT = r"TARGET\s+SOURCE\s+FSTYPE\s+OPTIONS"
_HEADING = re.compile(rf"^\s*(?:(?P<df>{_DF})|(?P<findmnt>{_FINDMNT})|(?P<lsblk>{_LSBLK}))\s*$")
_NAME = r"(?:^|[/!])[^/!]*(?:df|lsblk|findmnt|disk[_-]?usage)[^/!]*\.(?:txt|out|log)$"

_AMOUNT = re.compile(r"-?[\d.,]+[KMGTPE]?|-")
_PERCENT = re.compile(r"\d{1,4}%|-")
_TREE = re.compile(r"^[\s│├└─`|\-]*")
_COMMAND = re.compile(r"^\s*[$#>]")
_UNITS = {"1K": 1024, "1024": 1024, "1M": 1024**2, "1B": 1, "512": 512, "1": 1}


@dataclass(frozen=True, slots=True)
class _Table:
    """The table that a line of headings opens: its kind, the headings with their places, bytes a block of df."""

    kind: str
    headings: tuple[tuple[str, int, int], ...] = ()
    unit: int = 1
    typed: bool = False


@dataclass(frozen=True, slots=True)
class MountTables:
    """One row a line of the table, of the kind df, df_inodes, lsblk or findmnt."""

    name: str = "mount_tables"
    title: str = "output of df, lsblk and findmnt"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("df.txt", "lsblk.txt", "findmnt.txt")
    named = _NAME
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "df, for people and for inodes",
            "df.txt",
            b"Filesystem      Size  Used Avail Use% Mounted on\n"
            b"/dev/sda1       1.5G  512M  1.0G  34% /\n"
            b"tmpfs              0     0     0    - /sys/fs/a b\n\n"
            b"Filesystem       Inodes IUsed    IFree IUse% Mounted on\n"
            b"/dev/sda1        1000   1000         0  100% /\n",
            (
                {
                    "kind": "df",
                    "device": "/dev/sda1",
                    "mount": "/",
                    "size_bytes": 1610612736,
                    "used_bytes": 536870912,
                    "available_bytes": 1073741824,
                    "used_percent": 34,
                },
                {"device": "tmpfs", "mount": "/sys/fs/a b", "used_percent": None, "size_bytes": 0},
                {"kind": "df_inodes", "inodes": 1000, "inodes_available": 0, "used_percent": 100, "size_bytes": None},
            ),
        ),
        Sample(
            "df with the types, in blocks, a long device on a line of its own",
            "var/tmp/df-T.txt",
            b"$ df -T\nFilesystem     Type  1K-blocks    Used Available Use% Mounted on\n"
            b"/dev/mapper/a-very-long-name\n               xfs   2048 1024 1024  50% /data\nno row\n",
            (
                {
                    "kind": "df",
                    "device": "/dev/mapper/a-very-long-name",
                    "fs_type": "xfs",
                    "size_bytes": 2097152,
                    "mount": "/data",
                    "log.line": 3,
                },
            ),
            rejected=1,
        ),
        Sample(
            "lsblk with its tree and a second mount point",
            "lsblk.txt",
            "NAME    MAJ:MIN RM  SIZE RO TYPE MOUNTPOINTS\nsda       8:0    0   30G  0 disk \n"
            "├─sda1    8:1    0   29G  0 part /\n│                                /snap\n"
            "└─sda14   8:14   0    4M  1 part \n".encode(),
            (
                {"kind": "lsblk", "device": "sda", "device_type": "disk", "mount": None, "size_bytes": 32212254720},
                {"device": "sda1", "device_type": "part", "mount": "/", "read_only": False},
                {"device": "sda1", "mount": "/snap", "log.line": 4},
                {"device": "sda14", "read_only": True, "size_bytes": 4194304},
            ),
        ),
        Sample(
            "lsblk -f leaves fields empty",
            "lsblk-f.txt",
            b"NAME   FSTYPE LABEL UUID                                 MOUNTPOINT\n"
            b"sda                                                      \n"
            b"`-sda1 ext4         0a1b2c3d-0000-4000-8000-000000000001 /\n",
            (
                {"device": "sda", "fs_type": None, "uuid": None},
                {
                    "device": "sda1",
                    "fs_type": "ext4",
                    "uuid": "0a1b2c3d-0000-4000-8000-000000000001",
                    "mount": "/",
                },
            ),
        ),
        Sample(
            "findmnt",
            "findmnt.txt",
            "TARGET   SOURCE    FSTYPE OPTIONS\n/        /dev/sda1 xfs    rw,relatime\n"
            "└─/proc  proc      proc   ro,nosuid\n".encode(),
            (
                {"kind": "findmnt", "mount": "/", "device": "/dev/sda1", "fs_type": "xfs", "options": "rw,relatime"},
                {"mount": "/proc", "read_only": True},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the headings; a name alone says too little."""
        claim = claim_by_line(path, head, name=_NAME, line=_HEADING, text="a table of df, lsblk or findmnt")
        return claim if claim is not None and claim.strength > 20 else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a line under headings; what stands outside of a table is rejected."""
        lines = console_lines(source.data)
        rows: list[Mapping[str, object]] = []
        rejected: list[Rejected] = []
        for lines_of_row, row in _read(lines):
            if row is None:
                rejected += [Rejected(line, "no row of a table of df, lsblk or findmnt") for line in lines_of_row]
            else:
                message = " ".join(line.text.strip() for line in lines_of_row)
                rows.append({"message": message} | row | cited(lines_of_row))
        return listing(source, self.logsource, lines, rows, MOUNT_COLUMNS, rejected)


def _read(lines: Sequence[Line]) -> Iterator[tuple[list[Line], dict[str, object] | None]]:
    """Rows with the lines that they stand on; None for lines that are no row."""
    table: _Table | None = None
    waiting: list[Line] = []  # the device of df that stands on a line of its own
    above: dict[str, object] = {}
    for line in lines:
        odd = "\x00" in line.text or len(line.text) > LONGEST_LINE
        heading = None if odd else _HEADING.match(line.text)
        if (heading or line.blank) and waiting:
            yield waiting, None
            waiting = []
        if heading:
            table, above = _opened(heading), {}
        elif line.blank or (table is None and _COMMAND.match(line.text)):
            continue
        elif table is None or odd:
            yield [line], None
        elif table.kind.startswith("df"):
            row = _df_row(table, " ".join(one.text for one in (*waiting, line)))
            if row is None and not waiting and re.fullmatch(r"\S+", line.text.strip()):
                waiting = [line]
                continue
            yield [*waiting, line], row
            waiting = []
        else:
            above = _tree_row(table, line.text, above)
            yield [line], above or None
    if waiting:
        yield waiting, None


def _opened(heading: re.Match[str]) -> _Table:
    """The table under a line of headings."""
    text = heading.string
    if heading["df"] is None:
        words = tuple((found[0], *found.span()) for found in re.finditer(r"\S+", text))
        return _Table("lsblk" if heading["lsblk"] else "findmnt", words)
    blocks = re.search(r"(\d+[KMB]?)-blocks", text)
    unit = _UNITS.get(blocks[1], 1) if blocks else 512 if "blocks" in text else 1
    return _Table("df_inodes" if "Inodes" in text else "df", unit=unit, typed=bool(re.search(r"\bType\b", text)))


def _df_row(table: _Table, text: str) -> dict[str, object] | None:
    """A row of df: three amounts, a percentage and a path behind them; device and type in front of them."""
    words = text.split()
    places = (
        at
        for at in range(4 + table.typed, len(words) - 1)
        if _PERCENT.fullmatch(words[at])
        and words[at + 1].startswith("/")
        and all(_AMOUNT.fullmatch(word) for word in words[at - 3 : at])
    )
    at = next(places, None)
    if at is None:
        return None
    named = words[: at - 3]
    row: dict[str, object] = {
        "kind": table.kind,
        "device": " ".join(named[:-1] if table.typed else named),
        "mount": " ".join(words[at + 1 :]),
        "fs_type": named[-1] if table.typed else None,
        "used_percent": percent_of(words[at]),
    }
    size, used, free = (size_in_bytes(word, table.unit) for word in words[at - 3 : at])
    if table.kind == "df_inodes":
        return row | {"inodes": size, "inodes_available": free}
    return row | {"size_bytes": size, "used_bytes": used, "available_bytes": free}


def _tree_row(table: _Table, text: str, above: Mapping[str, object]) -> dict[str, object]:
    """A row of lsblk or findmnt; a line that holds but a mount point repeats the device above."""
    fields = _fields(table, text)
    if not fields:
        return {}
    if table.kind == "findmnt":
        options = fields.get("OPTIONS")
        return {
            "kind": "findmnt",
            "mount": fields.get("TARGET"),
            "device": fields.get("SOURCE"),
            "fs_type": fields.get("FSTYPE"),
            "options": options,
            "read_only": is_read_only(options),
        }
    mount = fields.get("MOUNTPOINT") or fields.get("MOUNTPOINTS")
    if "NAME" not in fields:
        return {**above, "mount": mount} if above and mount else {}
    return {
        "kind": "lsblk",
        "device": fields["NAME"],
        "mount": mount,
        "fs_type": fields.get("FSTYPE"),
        "device_type": fields.get("TYPE"),
        "uuid": fields.get("UUID"),
        "read_only": {"1": True, "0": False}.get(fields.get("RO", "")),
        "size_bytes": size_in_bytes(fields.get("SIZE", "")),
        "used_percent": percent_of(fields.get("FSUSE%", "")),
    }


def _fields(table: _Table, text: str) -> dict[str, str]:
    """The words of a line by the heading above which they stand; the last heading takes all that is left."""
    indent = _TREE.match(text)
    start = indent.end() if indent else 0
    found: dict[str, str] = {}
    last_name, last_start, _ = table.headings[-1]
    for word in re.finditer(r"\S+", text[start:]):
        begin, end = word.start() + start, word.end() + start
        if begin >= last_start:
            found[last_name] = text[begin:].rstrip()
            break
        name = _heading_at(table, begin, end)
        found[name] = f"{found[name]} {word[0]}" if name in found else word[0]
    return found


def _heading_at(table: _Table, begin: int, end: int) -> str:
    """The heading that shares an edge with a word, else one that stands over it, else the nearest to its left.

    Programs align text to the left and numbers to the right; the first column is moved by the lines of a tree.
    """
    for name, left, right in table.headings[1:]:
        if begin == left or end == right:
            return name
    for name, left, right in table.headings[1:]:
        if begin < right and left < end:
            return name
    return next((name for name, left, _ in reversed(table.headings) if left <= begin), table.headings[0][0])


parser: Parser = MountTables()
