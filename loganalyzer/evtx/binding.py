"""A program of its own: decodes chunks with the Rust binding, for ``first_reader``, which starts it by its path.

Hostile BinXML can make the binding take all memory, overflow its stack or never end, and Rust ends the process for
want of memory. So it runs here, where that costs nothing but this process, under a limit of memory where the platform
has one. Texts that are longer than any real record's are not handed on. It imports nothing of ours: where it is started
from may not be where it could find that.
"""

from __future__ import annotations

import io
import json
import re
import sys
from contextlib import suppress
from typing import BinaryIO

#: Bytes of memory that the process may address. For a sound chunk it uses 40 MB with all libraries.
_MEMORY = 512 << 20
#: Characters of one event, and of all events of a chunk. Real ones have 5,000 and 130,000.
_LONGEST = 1 << 20
_LONGEST_OF_A_CHUNK = 4 << 20
#: Times that the binding is asked for a record of a chunk: a fault is an answer too.
_MOST_ANSWERS = 2 * 65536 // 28

_TOO_LONG = "not read: it is longer than any real event"
_RECORD_NUMBER = re.compile(r"record number (\d+)")


def decoded(one_chunk: bytes) -> tuple[list[tuple[int, bytes]], dict[int, str]]:
    """Record ids with the JSON of each record that the binding can read, and its complaints by record id."""
    from evtx import PyEvtxParser

    found: list[tuple[int, bytes]] = []
    faults: dict[int, str] = {}
    left = _LONGEST_OF_A_CHUNK
    try:
        records = PyEvtxParser(io.BytesIO(one_chunk), number_of_threads=1).records_json()
    except (RuntimeError, OSError) as fault:
        return [], {0: str(fault)}
    for _ in range(_MOST_ANSWERS):  # a fault raises from next() and the iterator goes on; it must not go on for ever
        try:
            record = next(records)
        except StopIteration:
            break
        except RuntimeError as fault:
            text = " ".join(str(fault).split())[:300]
            number = _RECORD_NUMBER.search(text)
            faults[int(number[1]) if number else 0] = text
        else:
            if record is None:
                continue
            number, text = record["event_record_id"], record["data"].encode()
            if len(text) > min(_LONGEST, left):
                faults[number] = _TOO_LONG
            else:
                found.append((number, text))
                left -= len(text)
    return found, faults


def answered(one_chunk: bytes) -> bytes:
    """The length of a JSON head (ids and lengths of texts, complaints), that head, and the texts."""
    found, faults = decoded(one_chunk)
    sizes = [(number, len(text)) for number, text in found]
    head = json.dumps({"records": sizes, "faults": [*faults.items()]}).encode()
    return b"".join([len(head).to_bytes(4, "little"), head, *(text for _, text in found)])


def main() -> None:
    """Answers each frame on standard input, a file of one chunk, with a frame, until the input ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a word printed by a library would break a frame
    _limit_memory()
    sys.path[:] = json.loads(received(requests))
    while one_chunk := received(requests):
        send(answers, answered(one_chunk))


def received(stream: BinaryIO) -> bytes:
    """The next frame; nothing: the other side is gone."""
    head = stream.read(4)
    return stream.read(int.from_bytes(head, "little")) if len(head) == 4 else b""


def send(stream: BinaryIO, frame: bytes) -> None:
    stream.write(len(frame).to_bytes(4, "little") + frame)
    stream.flush()


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limit, some systems refuse to set it
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
