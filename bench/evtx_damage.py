"""Damages event logs and compares what is read with what the two libraries read alone.

``python bench/evtx_damage.py FILE... [--places 200] [--slow]``: copies of each file are cut, have bytes flipped, a
chunk header zeroed or a run of bytes zeroed at seeded places. The records that loganalyzer reads are set beside those
of the Rust binding and, with ``--slow``, of python-evtx (about a hundred a second). What the binding gives counts where
it is the same as in the file as given, for it also gives records whose end was overwritten. What loganalyzer rejects in
the file as given, and the binding does not, is printed: such records have zeros for most fields.
Prints the sums, and every copy in which loganalyzer reads fewer records than the better of the two, or in which records
are missing and nothing says so.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evtx import PyEvtxParser
from Evtx.Evtx import Evtx

from loganalyzer.parser import ParseContext
from loganalyzer.registry import recognise
from loganalyzer.source import Source

HEADER, CHUNK = 4096, 65536


@dataclass(frozen=True, slots=True)
class Read:
    """Record ids of one damaged copy, and what loganalyzer says of the loss."""

    ours: Counter[int]
    rust: Counter[int]
    python: Counter[int]
    damage: tuple[str, ...]


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
    """The header of one chunk is zero."""
    start = HEADER + CHUNK * chance.randrange(max(1, (len(data) - HEADER) // CHUNK))
    return data[:start] + bytes(512) + data[start + 512 :]


def with_zeros(chance: random.Random, data: bytes) -> bytes:
    """A run of up to 4 KiB is zero, as a lost block of a disk gives it."""
    start = chance.randrange(len(data))
    length = min(chance.randint(1, 4096), len(data) - start)
    return data[:start] + bytes(length) + data[start + length :]


DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (cut, flipped, without_chunk_header, with_zeros)


def ours(data: bytes) -> tuple[Counter[int], tuple[str, ...]]:
    """What loganalyzer reads."""
    source = Source("some.evtx", data)
    recognised = recognise(source)
    if recognised is None:
        return Counter(), ("not recognised",)
    parsed = recognised.parser.parse(source, ParseContext())
    numbers = Counter(number for frame in parsed.frames for number in frame.rows["RecordNumber"].to_list())
    return numbers, (*parsed.damage, *parsed.notes)


def rust(data: bytes) -> dict[int, str]:
    """What the Rust binding reads alone, going on behind every fault that it raises."""
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


def python(data: bytes) -> Counter[int]:
    """What python-evtx renders alone, chunk by chunk."""
    found: Counter[int] = Counter()
    with tempfile.NamedTemporaryFile(suffix=".evtx") as file:
        file.write(data)
        file.flush()
        with suppress(Exception), Evtx(file.name) as log:  # it raises what the damage leads to
            for chunk in log.chunks():
                found.update(_rendered(chunk))
    return found


def _rendered(chunk: object) -> Iterator[int]:
    try:
        for record in chunk.records():  # type: ignore[attr-defined]  # python-evtx has no types
            try:
                record.xml()
                yield record.record_num()
            except Exception:  # noqa: BLE001, S112
                continue
    except Exception:  # noqa: BLE001
        return


def compared(data: bytes, whole: dict[int, str], slow: bool) -> Read:
    """One damaged copy, read by all. ``whole``: what the binding gives of the undamaged file."""
    numbers, damage = ours(data)
    same = Counter(number for number, text in rust(data).items() if whole.get(number) == text)
    return Read(numbers, same, python(data) if slow else Counter(), damage)


def main() -> int:
    """Runs every damage at seeded places over every file."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("files", nargs="+", type=Path)
    arguments.add_argument("--places", type=int, default=200, help="damaged copies of each file")
    arguments.add_argument("--slow", action="store_true", help="ask python-evtx too")
    given = arguments.parse_args()
    worse = silent = 0
    for path in given.files:
        whole = path.read_bytes()
        sums: Counter[str] = Counter()
        intact, rendered = ours(whole)[0], rust(whole)
        rejected = {number: rendered.pop(number) for number in [*rendered] if number not in intact}
        for number, text in rejected.items():
            print(f"  rejected in {path.name}: record {number}: {text[:300]}")
        for place in range(given.places):
            damage = DAMAGES[place % len(DAMAGES)]
            damaged = damage(random.Random(f"{path.name} {place}"), whole)  # noqa: S311  # the same at each run
            read = compared(damaged, rendered, given.slow)
            sums += Counter(ours=read.ours.total(), rust=read.rust.total(), python=read.python.total())
            best = max(read.rust.total(), read.python.total())
            if read.ours.total() < best:
                worse += 1
                print(f"  fewer: {path.name} {damage.__name__} {place}: {read.ours.total()} of {best}", read.damage[:2])
            if read.ours.total() < intact.total() and not read.damage:
                silent += 1
                print(f"  silent: {path.name} {damage.__name__} {place}: {read.ours.total()} of {intact.total()}")
        print(f"{path.name}: {given.places} copies, records read: {dict(sums)}")
    print(f"copies read worse than by the better library: {worse}; losses that nothing tells: {silent}")
    return 1 if worse or silent else 0


if __name__ == "__main__":
    sys.exit(main())
