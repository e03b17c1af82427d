"""What the Sigma engine costs beside plain text searches: ``python bench/engine.py [--sigma DIR --events DIR]``.

Both passes run over the same frames of about ``--size`` events, each time in a fresh process, taking turns:

``engine``
    `loganalyzer.sigma.match.match` with ``--rules`` rules.
``trivial``
    For each frame one lazy ``select`` of as many expressions ``col(text).str.contains(literal, literal=True)`` as there
    are rules, collected to one boolean column each. ``text`` is the column ``message``, or the text column with the
    most bytes where every message is empty. The literals are the rules' own: of each rule the longest text that it
    asks for, or its title where it asks for none.

Without a folder the rules are built-in ones, and the frames (events and derived rows) those of the bundles in
``sample_logs/``, repeated up to the size. With ``--sigma`` and ``--events`` the rules are taken evenly from all rule
files below the one folder, sorted by path, and the events are everything that can be read below the other.

Prints the least, the median and the greatest of each pass and the ratio of the medians: seconds, seconds of CPU time
(steadier where a machine has other work), and MB of memory at the peak of the pass beyond what rules and frames
take. Reading rules and frames is not counted. Needs Linux, for the peak.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

import polars as pl

from loganalyzer.facts import derive, load_tables
from loganalyzer.pipeline import ScanOptions, read
from loganalyzer.schema import EventFrame, LogSource
from loganalyzer.sigma.ir import leaves, split_pattern
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.match import match
from loganalyzer.sigma.rule import Rule
from loganalyzer.signatures_in_use import builtin_rules

BUNDLES = Path(__file__).parents[1] / "sample_logs" / "bundles"


def main() -> None:
    """Prints what the two passes cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sigma", type=Path, help="a folder of Sigma rules")
    parser.add_argument("--events", type=Path, help="a folder of logs, for the rules of --sigma")
    parser.add_argument("--rules", type=int, default=300, help="how many rules (default: %(default)s)")
    parser.add_argument("--size", type=int, default=165_000, help="about how many events (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each pass (default: %(default)s)")
    parser.add_argument("--only", choices=tuple(PASSES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if (options.sigma is None) != (options.events is None):
        parser.error("--sigma and --events go together")
    if options.only is not None:
        _run_one(options.only, options.folder)
        return
    rules = _evenly(_sigma_rules(options.sigma) if options.sigma else builtin_rules().rules, options.rules)
    frames = _repeated(_events(options.events) if options.events else _sample_frames(), options.size)
    events = sum(frame.rows.height for frame in frames)
    print(f"{len(rules)} rules, {events} events in {len(frames)} frames")
    with tempfile.TemporaryDirectory() as folder:
        _store(rules, frames, Path(folder))
        _compare(Path(folder), options.rounds)


def _sigma_rules(folder: Path) -> tuple[Rule, ...]:
    return load_rules({str(path): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.yml"))}).rules


def _evenly(rules: Sequence[Rule], count: int) -> list[Rule]:
    """``count`` of the rules, evenly taken in their order."""
    return [rules[index * len(rules) // count] for index in range(count)] if count < len(rules) else list(rules)


def _events(folder: Path) -> list[EventFrame]:
    return list(read([folder], ScanOptions(), None, lambda *_: None).frames)


def _sample_frames() -> list[EventFrame]:
    """The frames that the rules read in a scan of each sample bundle, those of one log source as one."""
    parts: dict[LogSource, list[pl.DataFrame]] = defaultdict(list)
    tables = load_tables()
    for bundle in sorted(BUNDLES.iterdir()):
        reading = read([bundle], ScanOptions(), None, lambda *_: None)
        events = [frame for frame in reading.frames if frame.logsource.category != "config"]
        for frame in (*events, *derive(reading.frames, tables, reading.damaged).frames):
            parts[frame.logsource].append(frame.rows)
    return [EventFrame(source, pl.concat(parts[source], how="diagonal_relaxed")) for source in sorted(parts, key=str)]


def _repeated(frames: Sequence[EventFrame], size: int) -> list[EventFrame]:
    times = max(1, round(size / sum(frame.rows.height for frame in frames)))
    return [EventFrame(frame.logsource, pl.concat([frame.rows] * times, rechunk=True)) for frame in frames]


def _store(rules: Iterable[Rule], frames: Sequence[EventFrame], folder: Path) -> None:
    sources = [(frame.logsource.product, frame.logsource.service, frame.logsource.category) for frame in frames]
    for index, frame in enumerate(frames):
        frame.rows.write_ipc(folder / f"{index}.ipc")
    (folder / "input.json").write_text(json.dumps({"rules": [rule.to_json() for rule in rules], "sources": sources}))


def _load(folder: Path) -> tuple[list[Rule], list[EventFrame]]:
    stored = json.loads((folder / "input.json").read_text())
    frames = [
        EventFrame(LogSource(*source), pl.read_ipc(folder / f"{index}.ipc"))
        for index, source in enumerate(stored["sources"])
    ]
    return [Rule.from_json(rule) for rule in stored["rules"]], frames


def _engine(rules: Sequence[Rule], frames: Sequence[EventFrame]) -> int:
    return len(match(rules, frames).matches)


def _trivial(rules: Sequence[Rule], frames: Sequence[EventFrame]) -> int:
    literals = list(map(_literal, rules))
    found = 0
    for frame in frames:
        text = pl.col(_text_column(frame.rows))
        searches = [text.str.contains(one, literal=True).alias(str(index)) for index, one in enumerate(literals)]
        found += frame.rows.lazy().select(searches).collect().height
    return found


PASSES: dict[str, Callable[[Sequence[Rule], Sequence[EventFrame]], int]] = {"trivial": _trivial, "engine": _engine}


def _literal(rule: Rule) -> str:
    texts = [
        text
        for leaf in leaves(rule.condition)
        for value in map(str, leaf.values)
        for special, text in (split_pattern(value) if leaf.op == "wildcard" else [(False, value)])
        if not special and leaf.op != "re"
    ]
    return max(texts, key=len, default="") or rule.title


def _text_column(rows: pl.DataFrame) -> str:
    sizes = {name: rows[name].str.len_bytes().sum() for name, dtype in rows.schema.items() if dtype == pl.String}
    return "message" if sizes["message"] else max(sizes, key=lambda name: sizes[name])


def _run_one(which: str, folder: Path) -> None:
    """In the child: one pass, then what it cost as JSON."""
    rules, frames = _load(folder)
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak is the pass's, not that of loading
    before = _memory("VmRSS")
    start, start_cpu = time.perf_counter(), time.process_time()
    found = PASSES[which](rules, frames)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(json.dumps({"found": found, "s": seconds, "CPU s": cpu, "MB": _memory("VmHWM") - before}))


def _memory(which: str) -> float:
    """A line of the kernel's account of this process, in MB."""
    return int(Path("/proc/self/status").read_text().split(f"{which}:")[1].split()[0]) / 1000


def _child(which: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--only", which, "--folder", str(folder)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603
    return told


def _compare(folder: Path, rounds: int) -> None:
    runs = [{which: _child(which, folder) for which in PASSES} for _ in range(rounds)]
    print(f"the engine finds {runs[0]['engine']['found']} matches; {rounds} rounds")
    for unit in ("s", "CPU s", "MB"):
        medians = {}
        for which in PASSES:
            values = [run[which][unit] for run in runs]
            medians[which] = median(values)
            print(f"{which:8} {min(values):8.2f} {medians[which]:8.2f} {max(values):8.2f} {unit}")
        print(f"ratio of the medians, {unit}: {medians['engine'] / medians['trivial']:.2f}")


if __name__ == "__main__":
    main()
