"""Damages event logs and compares what is read with what the two libraries read alone.

``python bench/evtx_damage.py FILE... [--places 200] [--show 1]``: copies of each file are cut, have bits flipped, bytes
overwritten, a chunk header or the file header zeroed, or a run of bytes zeroed, at seeded places. Set beside each
other, by record id:

- loganalyzer;
- the Rust binding, going on behind every fault that it raises;
- python-evtx, over every slot of a chunk, whatever the file header counts.

A library is credited with a record that loganalyzer reads in the undamaged file; what it rejects there is printed. A
copy is *worse* if a library alone reads more records than loganalyzer, among them one with the very text that it has in
the undamaged file; *altered* if it reads more, but all with other texts: what it gives is not what was written. It is
*missed* if loganalyzer reads as many or more, but lacks a record that a library gives as it was written: it rejects a
record whose end was zeroed, since zeros may have been values. Each is printed with the first place at which the texts
differ. A copy is *silent* if records of the undamaged file are missing and neither damage nor notes say so. Prints a
table, one row a kind of damage; exit status 1 if any copy is worse or silent.

python-evtx renders about a hundred records a second: chunks that a damage left as they were are rendered once.
"""

from __future__ import annotations

import argparse
import io
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evtx import PyEvtxParser
from Evtx.Evtx import ChunkHeader

from loganalyzer.parser import ParseContext, Parser
from loganalyzer.registry import parsers
from loganalyzer.source import Source

HEADER, CHUNK = 4096, 65536
#: Seconds for one chunk: python-evtx does not come to an end on some damage.
PATIENCE = 60


def cut(chance: random.Random, data: bytes) -> bytes:
    """The front part."""
    return data[: chance.randrange(HEADER, len(data))]


def flipped(chance: random.Random, data: bytes) -> bytes:
    """Bits of one to twenty bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 20)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def without_chunk_header(chance: random.Random, data: bytes) -> bytes:
    """The header of one chunk is zero: its first 128 bytes or, with its tables, 512."""
    start = HEADER + CHUNK * chance.randrange(max(1, (len(data) - HEADER) // CHUNK))
    size = chance.choice((128, 512))
    return data[:start] + bytes(size) + data[start + size :]


def without_file_header(chance: random.Random, data: bytes) -> bytes:
    """The file header is zero; in half of the copies a chunk header is too."""
    bare = bytes(HEADER) + data[HEADER:]
    return without_chunk_header(chance, bare) if chance.random() < 0.5 else bare


def with_zeros(chance: random.Random, data: bytes) -> bytes:
    """A run of up to 4 KiB is zero, as a lost block of a disk gives it."""
    start = chance.randrange(len(data))
    length = min(chance.randint(1, 4096), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


def overwritten(chance: random.Random, data: bytes) -> bytes:
    """One to eight runs of up to sixteen bytes are others."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        piece = chance.randbytes(chance.randint(1, 16))
        start = chance.randrange(len(changed) - len(piece))
        changed[start : start + len(piece)] = piece
    return bytes(changed)


DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    cut,
    flipped,
    overwritten,
    without_chunk_header,
    without_file_header,
    with_zeros,
)


@dataclass(frozen=True, slots=True)
class Ours:
    """What loganalyzer reads: ids, all that it says of losses, and records by the way they were read."""

    numbers: frozenset[int]
    said: tuple[str, ...]


def ours(data: bytes, parser: Parser) -> Ours:
    """What loganalyzer reads of a file."""
    parsed = parser.parse(Source("some.evtx", data), ParseContext())
    numbers = frozenset(number for frame in parsed.frames for number in frame.rows["RecordNumber"].to_list())
    return Ours(numbers, (*parsed.damage, *parsed.notes))


def rust(data: bytes) -> dict[int, str]:
    """What the Rust binding reads alone, by record id."""
    found: dict[int, str] = {}
    try:
        records = PyEvtxParser(io.BytesIO(data), number_of_threads=1).records_json()
    except (RuntimeError, OSError):
        return found
    for _ in range(1_000_000):
        try:
            record = next(records)
        except StopIteration:
            break
        except RuntimeError:
            continue
        if record is not None:
            found[record["event_record_id"]] = record["data"]
    return found


@dataclass
class PythonEvtx:
    """python-evtx over one file and its copies; chunks that are as in the file are rendered once."""

    whole: bytes
    known: dict[int, dict[int, str]] = field(default_factory=dict)

    def read(self, data: bytes) -> dict[int, str]:
        """Records by id."""
        found: dict[int, str] = {}
        for start in range(HEADER, len(data) - CHUNK + 1, CHUNK):
            same = data[start : start + CHUNK] == self.whole[start : start + CHUNK]
            if same and start not in self.known:
                self.known[start] = dict(_rendered(self.whole, start))
            found.update(self.known[start] if same else dict(_rendered(data, start)))
        return found


def _rendered(data: bytes, start: int) -> Iterator[tuple[int, str]]:
    with suppress(Exception), _patience():  # it raises what the damage leads to
        for record in ChunkHeader(data, start).records():
            with suppress(Exception):
                yield record.record_num(), record.xml()


@contextmanager
def _patience() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass
class Sums:
    """Copies and records of one kind of damage."""

    copies: int = 0
    worse: int = 0
    altered: int = 0
    missed: int = 0
    silent: int = 0
    records: Counter[str] = field(default_factory=Counter)


@dataclass
class File:
    """One file as given, as all three read it."""

    name: str
    data: bytes
    parser: Parser
    python: PythonEvtx
    ours: Ours
    by_rust: dict[int, str]
    by_python: dict[int, str]

    @property
    def ids(self) -> frozenset[int]:
        """Record ids that count: what loganalyzer rejects of the file as given is printed, to be judged by a person."""
        return self.ours.numbers


def opened(path: Path) -> File:
    """Reads a file; prints what a library has of it and loganalyzer has not."""
    data = path.read_bytes()
    parser = next(parser for parser in parsers() if parser.name == "evtx_log")
    python = PythonEvtx(data)
    file = File(path.name, data, parser, python, ours(data, parser), rust(data), python.read(data))
    for name, found in (("the binding", file.by_rust), ("python-evtx", file.by_python)):
        for number in sorted(found.keys() - file.ours.numbers):
            print(f"  as given: {path.name}: record {number} only by {name}: {_shown(found[number])}")
    return file


def compared(file: File, place: int, damage: Callable[[random.Random, bytes], bytes], show: int, sums: Sums) -> None:
    """One damaged copy, read by all."""
    damaged = damage(random.Random(f"{file.name} {place}"), file.data)  # noqa: S311  # the same at each run
    read = ours(damaged, file.parser)
    libraries = {"the binding": rust(damaged), "python-evtx": file.python.read(damaged)}
    own = read.numbers & file.ids
    sums.copies += 1
    sums.records["given"] += len(file.ids)
    sums.records["ours"] += len(own)
    kinds = set()
    for name, found in libraries.items():
        credited = found.keys() & file.ids
        sums.records[name] += len(credited)
        missing = sorted(credited - own)
        true = [number for number in missing if found[number] == _given(file, name).get(number)]
        if not true and len(credited) <= len(own):
            continue
        kind = "missed" if len(credited) <= len(own) else "worse" if true else "altered"
        kinds.add(kind)
        print(f"  {kind}: {file.name} {damage.__name__} {place}: {len(own)}, {name} {len(credited)}", read.said[:2])
        for number in (true or missing)[:show]:
            print(f"    record {number}: {_difference(_given(file, name).get(number, ''), found[number])}")
    worst = next((kind for kind in ("worse", "altered", "missed") if kind in kinds), None)
    sums.worse += worst == "worse"
    sums.altered += worst == "altered"
    sums.missed += worst == "missed"
    if file.ours.numbers - read.numbers and not read.said:
        sums.silent += 1
        print(f"  silent: {file.name} {damage.__name__} {place}: {len(own)} of {len(file.ids)}")


def _given(file: File, name: str) -> dict[int, str]:
    return file.by_rust if name == "the binding" else file.by_python


def _difference(given: str, found: str) -> str:
    """Where two texts of one record part."""
    place = next((at for at, (one, other) in enumerate(zip(given, found, strict=False)) if one != other), len(found))
    start = max(0, place - 40)
    return f"given {given[start : place + 80]!r}, in the copy {found[start : place + 80]!r}"


def _shown(text: str) -> str:
    return repr(" ".join(text.split())[:1500])


def main() -> int:
    """Runs every damage at seeded places over every file."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("files", nargs="+", type=Path)
    arguments.add_argument("--places", type=int, default=200, help="damaged copies of each file")
    arguments.add_argument("--show", type=int, default=1, help="records to print of a copy that is read worse")
    given = arguments.parse_args()
    sums = {damage.__name__: Sums() for damage in DAMAGES}
    for path in given.files:
        file = opened(path)
        for place in range(given.places):
            damage = DAMAGES[place % len(DAMAGES)]
            compared(file, place, damage, given.show, sums[damage.__name__])
        print(f"{file.name}: {len(file.ids)} records, {given.places} copies", flush=True)
    heads = ("copies", "given", "ours", "binding", "python", "worse", "altered", "missed", "silent")
    print(f"{'damage':22}" + "".join(f"{head:>9}" for head in heads))
    for name, one in sums.items():
        records = [one.records[key] for key in ("given", "ours", "the binding", "python-evtx")]
        counts = (one.copies, *records, one.worse, one.altered, one.missed, one.silent)
        print(f"{name:22}" + "".join(f"{count:>9}" for count in counts))
    return 1 if any(one.worse or one.silent for one in sums.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
