"""``diskinfo.txt`` of a disk inspection with what ``statvfs`` says of each partition (linux.md 2.10).

``bavail: 0`` is a full disk, ``favail: 0`` inodes that ran out, bit 1 of ``flag`` a read-only mount. The inspection
mounts the disk itself, so read-only may be its own doing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, claim_by
from loganalyzer.parser_listing import Line, Rejected, cited, console_lines, key_value, listing
from loganalyzer.parser_mounts import percent_of, size_in_bytes

_LOGSOURCE = LogSource("azure", "diskinspect")
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "device": pl.String(),
    "size_bytes": pl.Int64(),
    "used_bytes": pl.Int64(),
    "available_bytes": pl.Int64(),
    "used_percent": pl.Int64(),
    "mount": pl.String(),
    "inodes": pl.Int64(),
    "inodes_available": pl.Int64(),
    "read_only": pl.Boolean(),
}
_PARTITION = re.compile(r"^\s*\[Device: (?P<device>[^,\]]{1,512}), mountpoint: (?P<mount>[^\]]{1,2048}?) ?\]\s*$")
_KEYS = frozenset(
    {"bsize", "frsize", "blocks", "bfree", "bavail", "files", "ffree", "favail", "fsid", "flag", "namemax"}
)
_DF_HEAD = re.compile(r"^\s*Filesystem\s+(?:Size|1K-blocks|1024-blocks)\s+Used\s+Avail")
_DRIVES = re.compile(r"^\s*(?:Windows drive letter mappings.*|[A-Z]: \S+)\s*$")
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class DiskStatvfs:
    """One row a partition, of the kind file_system, beside the rows of the table of ``df`` above."""

    name: str = "disk_statvfs"
    title: str = "partitions of a disk inspection with their inodes: diskinfo.txt"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("diskinfo.txt",)
    named = r"(?:^|[/!])diskinfo\.txt$"
    otherwise = 50
    samples: tuple[Sample, ...] = (
        Sample(
            "a full partition",
            "diskinfo.txt",
            b"Filesystem      Size  Used Avail Use% Mounted on\n/dev/sda1       127G   15G  113G  12% /sysroot\n\n\n"
            b"[Device: /dev/sda1, mountpoint: / ]\nbsize: 4096\nfrsize: 4096\nblocks: 100\nbfree: 10\nbavail: 0\n"
            b"files: 50\nffree: 9\nfavail: 0\nfsid: 0\nflag: 4097\nnamemax: 255\n",
            (
                {
                    "kind": "df",
                    "device": "/dev/sda1",
                    "mount": "/sysroot",
                    "size_bytes": 136365211648,
                    "used_percent": 12,
                },
                {
                    "kind": "file_system",
                    "device": "/dev/sda1",
                    "mount": "/",
                    "size_bytes": 409600,
                    "used_bytes": 368640,
                    "available_bytes": 0,
                    "inodes": 50,
                    "inodes_available": 0,
                    "read_only": True,
                    "log.line": 5,
                },
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the line that opens a partition."""
        content = r"^[ \t]*\[Device: [^,\]\n]{1,512}, mountpoint: "
        claim = claim_by(path, head, name=self.named, content=content, text="a list of partitions")
        return claim if claim is not None and claim.strength > 20 else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a partition and one a line of ``df``; lines outside of both are rejected."""
        lines = console_lines(source.data)
        rows, rejected = [], []
        for of_row, row in _read(lines):
            if row is not None:
                rows.append(cited(of_row) | row)
            else:
                rejected += [Rejected(line, "neither a partition nor a file system") for line in of_row]
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _read(lines: Sequence[Line]) -> Iterator[tuple[list[Line], dict[str, object] | None]]:
    """Rows with their lines; None for lines that are no row."""
    partition: re.Match[str] | None = None
    within: list[Line] = []
    for line in lines:
        opened = _PARTITION.match(line.text)
        pair = None if opened else key_value(line.text)
        if partition is not None and pair is not None and pair[0] in _KEYS:
            within.append(line)
            continue
        if partition is not None:
            yield within, _partition(partition, within)
        partition, within = opened, [line] if opened else []
        if opened or line.blank or _DF_HEAD.match(line.text) or _DRIVES.match(line.text):
            continue
        yield [line], _df(line.text)
    if partition is not None:
        yield within, _partition(partition, within)


def _partition(opened: re.Match[str], lines: Sequence[Line]) -> dict[str, object]:
    """Sizes are in blocks of ``frsize`` bytes (statvfs(3))."""
    pairs = dict(pair for line in lines[1:] if (pair := key_value(line.text)) is not None)
    number = {key: int(text) for key, text in pairs.items() if re.fullmatch(r"[0-9]{1,19}", text)}
    block = number.get("frsize") or number.get("bsize")
    total, free = number.get("blocks"), number.get("bfree")
    flag = number.get("flag")
    device, mount = opened["device"], opened["mount"]
    return {
        "kind": "file_system",
        "device": device,
        "mount": mount,
        "size_bytes": _bytes(total, block),
        "used_bytes": _bytes(max(total - free, 0), block) if total is not None and free is not None else None,
        "available_bytes": _bytes(number.get("bavail"), block),
        "inodes": _small(number.get("files")),
        "inodes_available": _small(number.get("favail")),
        "read_only": None if flag is None else bool(flag & 1),
        "message": f"{device} on {mount}: " + ", ".join(f"{key} {value}" for key, value in sorted(number.items())),
    }


def _bytes(blocks: int | None, size: int | None) -> int | None:
    return None if blocks is None or size is None else _small(blocks * size)


def _small(number: int | None) -> int | None:
    return number if number is not None and number <= _MOST else None


def _df(text: str) -> dict[str, object] | None:
    """A line of ``df -h``: device, three sizes, a percentage, the mount point."""
    words = text.split()
    if len(words) < 6 or not re.fullmatch(r"\d{1,4}%|-", words[4]) or not words[5].startswith("/"):
        return None
    size, used, free = (size_in_bytes(word) for word in words[1:4])
    return {
        "kind": "df",
        "device": words[0],
        "size_bytes": size,
        "used_bytes": used,
        "available_bytes": free,
        "used_percent": percent_of(words[4]),
        "mount": " ".join(words[5:]),
        "message": text.strip(),
    }


parser: Parser = DiskStatvfs()
