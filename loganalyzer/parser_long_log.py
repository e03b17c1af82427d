"""The parser kit for long text logs: rows are made of those entries only that something may ask for.

The bytes are passed over once, block by block, with numpy and one search for all texts; no more than a few blocks are
held. An entry becomes a row if it holds one of the texts, is of a level that is told for itself, holds anything beyond
ASCII, or bounds the log in time or place. Of the others stay their number, the times between which they stand, and the
text of those that stand beside a row. Where a log is not as plain as this asks, nothing is selected: all of it is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from loganalyzer.fixed_head import FixedHead
from loganalyzer.fixed_head_search import HEAD_BYTES, Bools, Bytes, Heads, Ints, heads_of
from loganalyzer.literal_search import LineSearch
from loganalyzer.schema import to_the_minute
from loganalyzer.source import ReadInto

#: Bytes that are looked at at a time: few enough to stay in the processor's cache, enough to be worth a call.
BLOCK = 4 << 20
#: Entries before and after one that is asked for: what a report shows around a line.
BESIDE = 2
#: Entries at the end of a log that are rows whatever they hold: there is sought what came nearest to a finding.
LAST_ENTRIES = 2_000
#: Bytes of entries that become rows or stand beside one, which are held: a log of nothing else is none to select from.
MOST_HELD = 256 << 20
#: Lines within entries that begin with a digit, as listings have them; a log with more of them is read as usual.
MOST_ODD = 10_000


@dataclass(frozen=True, slots=True)
class Selected:
    """The entries that are to become rows, and all that is known of the others.

    ``entries``: their places among all entries, sorted; ``lines``: their physical lines (``line``, ``offset``,
    ``length`` with the line end, ``text``); ``times``: when they were written (UTC). ``passed``: how many others there
    are, ``passed_timed``: how many of these have a time, ``passed_times``: the times, as `to_the_minute` has them,
    ``beside``: see `PassedOver`. ``line_count``, ``size``: of the log, the latter in bytes. ``odd_lines``: as `select`.
    """

    entries: pl.Series
    lines: pl.DataFrame
    times: pl.Series
    beside: Callable[[int, int], pl.DataFrame]
    passed: int
    passed_timed: int
    passed_times: pl.Series
    line_count: int
    size: int
    odd_lines: tuple[bytes, ...]


def select(read: ReadInto, head: FixedHead, search: LineSearch, longest_entry: int) -> Selected | None:
    """Which entries of a log become rows; None: it is not as plain as a selection needs, or has no head at all.

    ``longest_entry`` in bytes. ``odd_lines`` begin with a digit, or hold anything beyond ASCII, and open no entry by
    this head: if one of them opens one in another way, nothing must be selected.
    """
    walk, odd = _Walk(), dict[bytes, None]()
    try:
        for block in _blocks(read, head, longest_entry):
            odd.update(dict.fromkeys(_odd_lines(block)))
            if len(odd) > MOST_ODD:
                return None
            walk.add(_look_at(block, search, longest_entry))
        return walk.selected(tuple(odd))
    except (_NotPlain, UnicodeDecodeError):
        return None


class _NotPlain(Exception):  # noqa: N818  (nothing is wrong: the log is read in another way)
    """A log of which nothing must be selected."""


# ---- blocks ----


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole entries: the first ``size`` bytes of ``text``; where their lines start and end, and which are heads."""

    text: Bytes
    size: int
    starts: Ints
    ends: Ints
    heads: Heads


def _blocks(read: ReadInto, head: FixedHead, longest_entry: int) -> Iterator[_Block]:
    """Blocks that end before an entry, with which the next one begins.

    Raises:
        _NotPlain: no entry begins for longer than one may be, or see `_whole_entries`.
    """
    most = BLOCK + 2 * longest_entry
    carried, ended = np.empty(0, np.uint8), False
    while not ended:
        text = np.empty(most + HEAD_BYTES, np.uint8)
        filled, block = len(carried), None
        text[:filled] = carried
        while block is None:
            filled, ended = _fill(read, text, filled, BLOCK if filled < BLOCK else most)
            if not filled:
                return
            block = _whole_entries(text, filled, ended, head)
            if block is None and filled == most:
                raise _NotPlain
        yield block
        carried = text[block.size : filled]


def _fill(read: ReadInto, text: Bytes, filled: int, goal: int) -> tuple[int, bool]:
    """How many bytes there are now, and whether no more follow."""
    view = text.data
    while filled < goal:
        count = read(view[filled:goal])
        if not count:
            return filled, True
        filled += count
    return filled, False


_LINE_FEED, _CARRIAGE_RETURN = 10, 13
_MARK = b"\xef\xbb\xbf"


def _whole_entries(text: Bytes, filled: int, ended: bool, head: FixedHead) -> _Block | None:
    """The entries of which nothing is missing; None: the first one may go on behind these bytes.

    Raises:
        _NotPlain: a line ends in another way, NUL bytes, a byte order mark in front, stamps of times that do not exist.
    """
    known = text[:filled]
    if (known == _CARRIAGE_RETURN).any() or not known.all() or known[: len(_MARK)].tobytes() == _MARK:
        raise _NotPlain
    text[filled : filled + HEAD_BYTES] = _LINE_FEED
    ends = np.flatnonzero(known == _LINE_FEED)
    if ended and known[-1] != _LINE_FEED:  # the last line of a log that was cut
        ends = np.append(ends, filled)
    starts = np.zeros(len(ends), np.int64)
    starts[1:] = ends[:-1] + 1
    heads = heads_of(text, starts, head)
    if heads is None:
        raise _NotPlain
    if ended:
        return _Block(text, filled, starts, ends, heads)
    if not len(heads.places) or not heads.places[-1]:
        return None
    line, size = int(heads.lines[-1]), int(heads.places[-1])
    return _Block(text, size, starts[:line], ends[:line], heads.without_last())


_FIRST_FOREIGN = 128


def _foreign(block: _Block) -> Bools:
    """Which lines hold anything beyond ASCII."""
    found = np.zeros(len(block.starts), np.bool_)
    text = block.text[: block.size]
    if text.max() >= _FIRST_FOREIGN:
        found[np.searchsorted(block.ends, np.flatnonzero(text >= _FIRST_FOREIGN))] = True
    return found


def _odd_lines(block: _Block) -> Iterator[bytes]:
    """See `select`."""
    first = block.text[block.starts]
    maybe_head = (first >= ord("0")) & (first <= ord("9"))
    maybe_head |= _foreign(block)
    maybe_head[block.heads.lines] = False
    for line in np.flatnonzero(maybe_head)[: MOST_ODD + 1].tolist():
        yield block.text[block.starts[line] : block.ends[line]].tobytes()


# ---- entries ----


@dataclass(slots=True)
class _Part:
    """The entries of a block: where each starts, and behind them where the last one ends; the first line of each.

    ``times`` are microseconds since 1970, of the ``timed``. ``chosen``: which are rows.
    """

    text: Bytes
    starts: Ints
    lines: Ints
    times: Ints
    timed: Bools
    chosen: Bools

    def __len__(self) -> int:
        return len(self.times)

    def entry(self, number: int) -> bytes:
        return self.text[self.starts[number] : self.starts[number + 1]].tobytes()


def _look_at(block: _Block, search: LineSearch, longest_entry: int) -> _Part:
    heads = block.heads
    starts, lines, times, chosen = heads.places, heads.lines, heads.times, heads.loud
    timed = np.ones(len(starts), np.bool_)
    if not len(starts) or starts[0]:  # lines before the first head are an entry without a time
        starts, lines = np.insert(starts, 0, 0), np.insert(lines, 0, 0)
        times, chosen, timed = np.insert(times, 0, 0), np.insert(chosen, 0, True), np.insert(timed, 0, False)
    wanted = search.lines(block.text.data[: block.size], block.ends) | _foreign(block)
    chosen[np.searchsorted(lines, np.flatnonzero(wanted), side="right") - 1] = True
    bounds = np.append(starts, block.size)
    if (np.diff(bounds) > longest_entry).any():
        raise _NotPlain
    return _Part(block.text, bounds, np.append(lines, len(block.starts)), times, timed, chosen)


@dataclass(slots=True)
class _Walk:
    """What was selected so far, and the parts whose entries may yet be the last of the log, or stand beside a row.

    ``bounds``: the first and the last time; ``before``: the last entry with a time. Of what is settled ``entries``,
    ``lines`` and ``size`` (bytes) are counts; ``latest``: whether the last of its entries are rows.
    """

    waiting: deque[_Part] = field(default_factory=deque)
    rows: _Told = field(default_factory=lambda: _Told())
    beside: _Told = field(default_factory=lambda: _Told())
    passed_timed: int = 0
    passed_times: list[pl.Series] = field(default_factory=list)
    entries: int = 0
    lines: int = 0
    size: int = 0
    latest: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    before: tuple[_Part, int] | None = None
    bounds: tuple[int, int] | None = None

    def add(self, part: _Part) -> None:
        """The next entries.

        Raises:
            _NotPlain: see `_settle`.
        """
        if not self.entries and not self.waiting:
            part.chosen[: 1 + BESIDE] = True
        self._bound(part)
        self.waiting.append(part)
        behind = sum(map(len, self.waiting)) - len(self.waiting[0])
        while behind >= max(LAST_ENTRIES, BESIDE) and len(self.waiting) > 1:
            self._settle()
            behind -= len(self.waiting[0])

    def _bound(self, part: _Part) -> None:
        """Rows are also the entries of the first and the last time, and those between which the clock went back."""
        places = np.flatnonzero(part.timed)
        known = part.times[places]
        if not len(known):
            return
        first, last = int(np.argmin(known)), len(known) - 1 - int(np.argmax(known[::-1]))
        if self.bounds is None or known[first] < self.bounds[0]:
            part.chosen[places[first]] = True
        if self.bounds is None or known[last] >= self.bounds[1]:
            part.chosen[places[last]] = True
        lowest, highest = self.bounds or (int(known[first]), int(known[last]))
        self.bounds = min(lowest, int(known[first])), max(highest, int(known[last]))
        back = np.flatnonzero(np.diff(known) < 0)
        part.chosen[places[back]] = True
        part.chosen[places[back + 1]] = True
        if self.before is not None and known[0] < self.before[0].times[self.before[1]]:
            self.before[0].chosen[self.before[1]] = True
            part.chosen[places[0]] = True
        self.before = part, int(places[-1])

    def _settle(self) -> None:
        """Nothing more will be known of the first part that waits.

        Raises:
            _NotPlain: too much would have to be held.
        """
        part = self.waiting.popleft()
        following = [one.chosen[:BESIDE] for one in self.waiting]
        around = np.concatenate([self.latest, part.chosen, *following])
        beside = with_neighbours(around)[len(self.latest) :][: len(part)] & ~part.chosen
        self.latest = np.concatenate([self.latest, part.chosen])[-BESIDE:]
        for told, which in ((self.rows, part.chosen), (self.beside, beside)):
            told.add(part, np.flatnonzero(which), self.entries, self.lines, self.size)
        if self.rows.size + self.beside.size > MOST_HELD:
            raise _NotPlain
        left = part.times[part.timed & ~part.chosen]
        self.passed_timed += len(left)
        self.passed_times.append(to_the_minute(_moments(left)))
        self.entries += len(part)
        self.lines += int(part.lines[-1])
        self.size += int(part.starts[-1])

    def selected(self, odd: tuple[bytes, ...]) -> Selected | None:
        """The result, once there are no more entries; None: none of them has a time.

        Raises:
            UnicodeDecodeError: one is not UTF-8.
            _NotPlain: see `_settle`.
        """
        if self.bounds is None:
            return None
        missing = LAST_ENTRIES
        for part in reversed(self.waiting):
            part.chosen[max(0, len(part) - missing) :] |= missing > 0
            missing -= min(missing, len(part))
        while self.waiting:
            self._settle()
        return Selected(
            entries=self.rows.places(),
            lines=self.rows.physical_lines(),
            times=self.rows.moments(),
            beside=self.beside.between,
            passed=self.entries - len(self.rows.texts),
            passed_timed=self.passed_timed,
            passed_times=to_the_minute(pl.concat(self.passed_times)),
            line_count=self.lines,
            size=self.size,
            odd_lines=odd,
        )


def with_neighbours(wanted: Bools) -> Bools:
    """Marks also what stands beside what is marked."""
    found = wanted.copy()
    for away in range(1, BESIDE + 1):
        found[away:] |= wanted[:-away]
        found[:-away] |= wanted[away:]
    return found


def _moments(times: Ints) -> pl.Series:
    return pl.from_epoch(pl.Series("@timestamp", times, pl.Int64), time_unit="us").dt.replace_time_zone("UTC")


@dataclass(slots=True)
class _Told:
    """Entries with their texts: place among all, first line (1-based), offset, time. ``size``: bytes of the texts."""

    numbers: dict[str, list[Ints]] = field(default_factory=dict)
    timed: list[Bools] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, part: _Part, which: Ints, entries: int, lines: int, offset: int) -> None:
        """Entries of a part before which there are so many entries, lines and bytes."""
        told = {
            "entries": which + entries,
            "lines": part.lines[which] + lines + 1,
            "offsets": part.starts[which] + offset,
            "times": part.times[which],
        }
        for name, numbers in told.items():
            self.numbers.setdefault(name, []).append(numbers)
        self.timed.append(part.timed[which])
        whole, starts, ends = part.text.data, part.starts[which].tolist(), part.starts[which + 1].tolist()
        self.texts += [bytes(whole[start:end]) for start, end in zip(starts, ends, strict=True)]
        self.size += sum(ends) - sum(starts)

    def places(self) -> pl.Series:
        """Those of the entries among all of the log."""
        return pl.Series("event.sequence", self._of_all("entries"), pl.Int64)

    def moments(self) -> pl.Series:
        """The times of the entries (UTC)."""
        return _moments(self._of_all("times")).set(~pl.Series(np.concatenate(self.timed)), None)

    def _of_all(self, name: str) -> Ints:
        return np.concatenate(self.numbers[name])

    def between(self, first: int, last: int) -> pl.DataFrame:
        """The entries of these places among all, both included, as a reader sees them."""
        entries = self._of_all("entries")
        which = slice(*np.searchsorted(entries, [first, last + 1]).tolist())
        texts = [text.removesuffix(b"\n").decode() for text in self.texts[which]]
        return pl.DataFrame(
            {
                "event.sequence": self.places()[which],
                "log.line": pl.Series(self._of_all("lines")[which], dtype=pl.Int64),
                "@timestamp": self.moments()[which],
                "event.original": pl.Series(texts, dtype=pl.String),
            }
        )

    def physical_lines(self) -> pl.DataFrame:
        """Their lines: ``line``, ``offset``, ``length`` (line end included), ``text``.

        Raises:
            UnicodeDecodeError: one is not UTF-8.
        """
        joined = b"".join(self.texts)
        pieces = joined.split(b"\n")
        texts = joined.decode().split("\n")
        if not pieces[-1]:  # nothing stands behind the last line end
            pieces.pop()
            texts.pop()
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces)) + 1
        lengths[-1] -= not joined.endswith(b"\n")
        places = np.cumsum(lengths) - lengths  # as if nothing stood between the entries
        sizes = np.fromiter(map(len, self.texts), np.int64, len(self.texts))
        entries = np.cumsum(sizes) - sizes
        first = np.searchsorted(places, entries)
        entry = np.repeat(np.arange(len(entries)), np.diff(np.append(first, len(places))))
        return pl.DataFrame(
            {
                "line": self._of_all("lines")[entry] + np.arange(len(places)) - first[entry],
                "offset": self._of_all("offsets")[entry] + places - entries[entry],
                "length": lengths,
                "text": pl.Series(texts, dtype=pl.String),
            },
        )
