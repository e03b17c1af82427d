"""Members of a tar, in one pass over a stream, in the order of the archive.

Headers are decoded by ``tarfile.TarInfo``; the walk is ours, because ``tarfile`` takes a bad header in the middle for
the end and reads extended headers of any size into memory.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping

from loganalyzer.intake.limits import MIB
from loganalyzer.intake.members import Member
from loganalyzer.intake.streams import Stream, section

_EXTENDED_HEADER_LIMIT = MIB
_LONG_NAMES: Mapping[bytes, str] = {tarfile.GNUTYPE_LONGNAME: "path", tarfile.GNUTYPE_LONGLINK: "linkpath"}
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_PAX_RECORD = re.compile(rb"(\d{1,9}) ([^=]+)=")
_WITHOUT_DATA: Mapping[bytes, str] = {
    tarfile.SYMTYPE: "symbolic link, not followed",
    tarfile.LNKTYPE: "hard link, not followed",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "FIFO",
}
_SPARSE = "sparse file in a tar, which is not read"


def tar_members(stream: Stream) -> Iterator[Member]:
    """The files of a tar. The stream of a member ends with its bytes; what is left of it is passed over.

    Raises:
        tarfile.TarError, EOFError, ValueError: from here on the archive cannot be read.
        LimitReached: by the stream.
    """
    told: dict[str, str] = {}
    while (header := _next_header(stream)) is not None:
        size = int(told.get("size", header.size))
        if size < 0:
            raise tarfile.ReadError(f"a member of {size} bytes")
        if header.type in _LONG_NAMES or header.type in _PAX or header.type == tarfile.XGLTYPE:
            data = _extended(stream, size)
            if header.type in _LONG_NAMES:
                told[_LONG_NAMES[header.type]] = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif header.type in _PAX:
                told |= _pax_records(data)
            continue
        name = told.get("GNU.sparse.name") or told.get("path") or header.name
        sparse = header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in told)
        told = {}
        if header.type in _WITHOUT_DATA:
            yield Member(name, 0, None, _WITHOUT_DATA[header.type])
            continue
        body = section(stream, size)
        if not header.isdir():
            yield Member(name, size, None if sparse else body, _SPARSE if sparse else None)
        _pass_over(stream, body, size)


def _next_header(stream: Stream) -> tarfile.TarInfo | None:
    """None at the end mark; an old GNU sparse header is read with its extensions."""
    block = stream.read(tarfile.BLOCKSIZE)
    if not block:
        raise EOFError(stream.damage or "the tar has no end mark: it may be cut")
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    if header.type == tarfile.GNUTYPE_SPARSE:
        is_extended = block[482]
        while is_extended:
            is_extended = stream.read(tarfile.BLOCKSIZE).ljust(tarfile.BLOCKSIZE, b"\0")[504]
    return header


def _extended(stream: Stream, size: int) -> bytes:
    if size > _EXTENDED_HEADER_LIMIT:
        raise tarfile.ReadError(f"an extended header of {size} bytes")
    body = section(stream, size)
    data = body.read(size)
    _pass_over(stream, body, size)
    return data


def _pass_over(stream: Stream, body: Stream, size: int) -> None:
    while body.read_some():
        pass
    stream.read(-size % tarfile.BLOCKSIZE)


def _pax_records(data: bytes) -> dict[str, str]:
    """``length key=value`` lines, the length counting the whole line."""
    records: dict[str, str] = {}
    position = 0
    while match := _PAX_RECORD.match(data, position):
        end = position + int(match[1])
        if end <= match.end():
            raise tarfile.ReadError("a broken extended header")
        value = data[match.end() : end - 1]
        records[match[2].decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        position = end
    return records


def bytes_behind(stream: Stream) -> str | None:
    """Reads the stream behind the end mark to its end; says so when that is more than padding."""
    behind = 0
    while chunk := stream.read_some():
        behind += len(chunk) if chunk.strip(b"\0") or behind else 0
    return f"{behind} bytes behind the end mark were not read" if behind else None
