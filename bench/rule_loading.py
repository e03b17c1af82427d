"""What precompiled rules save: ``python bench/rule_loading.py [--rules N] [--rounds N]``.

Two ways to the same ``--rules`` built-in rules, from texts in memory, taking turns in one process that has imported
everything and has run each way once:

``stored``
    `loganalyzer.sigma.store.restore` of the precompiled form, with the digest of the rule texts that it is checked
    against, as a scan does.
``yaml``
    `loganalyzer.sigma.load.load_rules` of the YAML texts, one document a rule.

Prints the least, the median and the greatest of each in milliseconds and the ratio of the medians, which must stay
under ``--bar``: the exit status is 1 if it does not. Then, on its own, what only ``yaml`` has to import
(`loganalyzer.sigma.lower`, which brings pySigma in), each time in a fresh process that has imported the pipeline.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.rule import Loaded
from loganalyzer.sigma.store import digest, dump, restore, without_examples
from loganalyzer.signatures_in_use import builtin_rule_texts

IMPORT = (
    "import time, loganalyzer.pipeline; start = time.perf_counter(); import loganalyzer.sigma.lower; "
    "print(time.perf_counter() - start)"
)


def main() -> int:
    """Prints what both ways cost; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=300, help="how many rules (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each way (default: %(default)s)")
    parser.add_argument("--bar", type=float, default=0.1, help="the ratio to stay under (default: %(default)s)")
    options = parser.parse_args()
    texts = _documents(options.rules)
    source = digest(texts)
    loaded = load_rules(texts)
    form = dump(loaded, source)
    ways: dict[str, Callable[[], Loaded]] = {
        "stored": lambda: restore(form, digest(texts)),
        "yaml": lambda: load_rules(texts),
    }
    if ways["stored"]() != without_examples(loaded):
        raise SystemExit("the two ways differ")
    ratio = _compare(ways, options.rounds, len(loaded.rules) + len(loaded.correlations))
    _row("import", [_seconds_to_import() for _ in range(max(1, options.rounds // 3))])
    print(f"ratio of the medians, stored to yaml: {ratio:.4f} (bar: {options.bar})")
    return 0 if ratio < options.bar else 1


def _documents(count: int) -> Mapping[str, str]:
    """The first ``count`` event rules of the built-in rule files, each as a text of its own."""
    documents = {
        f"{path}#{number}": document
        for path, text in builtin_rule_texts().items()
        for number, document in enumerate(re.split(r"(?m)^---[ \t]*\n", text))
        if re.search(r"(?m)^logsource:", document)
    }
    return dict(list(documents.items())[:count])


def _compare(ways: Mapping[str, Callable[[], Loaded]], rounds: int, rules: int) -> float:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    print(f"{rules} rules, {rounds} rounds; least, median, greatest")
    for name, taken in seconds.items():
        _row(name, taken)
    return median(seconds["stored"]) / median(seconds["yaml"])


def _seconds_to_import() -> float:
    command = [sys.executable, "-c", IMPORT]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def _row(name: str, seconds: Sequence[float]) -> None:
    least, middle, most = (1000 * value for value in (min(seconds), median(seconds), max(seconds)))
    print(f"{name:8} {least:8.1f} {middle:8.1f} {most:8.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
