"""What a large HTML report costs: ``python bench/html_open.py [--candidates N] [--rounds N] [--bar RATIO]``.

Two pages with the same scripts and style, opened in turn in fresh tabs of one Chromium without a network:

``large``
    the page of a report with ``--candidates`` entries of evidence, of which it shows what it may;
``empty``
    the page of a report without any evidence, whose chart draws a single attempt.

Prints the size of both pages, how long `loganalyzer.report.html_report.to_html` takes for the large one, and of the
opening of each (from the navigation to the second frame after its scripts have run) the least, median and
greatest milliseconds. The exit status is 1 if the ratio of the medians is above ``--bar``, or the large page has 5 MB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loganalyzer.report.html_report import to_html
from tests.example_reports import EXAMPLE
from tests.many_findings import report_with

MOST_BYTES = 5_000_000
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"


def main() -> int:
    """Prints what both pages cost; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=200_000, help="entries of evidence (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="openings of each page (default: %(default)s)")
    parser.add_argument("--bar", type=float, default=3.0, help="greatest ratio (default: %(default)s)")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser (default: %(default)s)")
    given = parser.parse_args()

    report = report_with(given.candidates)
    start = time.perf_counter()
    large = to_html(report)
    took = time.perf_counter() - start
    empty = to_html(
        replace(EXAMPLE, diagnoses=(), ruled_out=(), unattributed=(), coverage=(), attempts=EXAMPLE.attempts[:1])
    )
    print(f"large: {len(large):,} bytes, written in {took:.2f} s; empty: {len(empty):,} bytes")
    times = opening_times({"large": large, "empty": empty}, given.rounds, given.chromium)
    for name, own in times.items():
        print(f"{name}: {min(own):.0f} / {median(own):.0f} / {max(own):.0f} ms")
    ratio = median(times["large"]) / median(times["empty"])
    print(f"ratio of the medians: {ratio:.2f} (bar {given.bar:g})")
    return 0 if ratio <= given.bar and len(large) < MOST_BYTES else 1


def opening_times(pages: dict[str, bytes], rounds: int, chromium: str) -> dict[str, list[float]]:
    """Milliseconds of each opening by page, which take turns; the first round only warms up."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for number in range(rounds + 1):
            for name, page in pages.items():
                file = Path(folder) / f"{name}.html"
                file.write_bytes(page)
                milliseconds = _opened(browser, file)
                times[name] += [milliseconds] if number else []
        browser.close()
    return times


def _opened(browser: Browser, file: Path) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    milliseconds: float = page.evaluate(DRAWN)
    assert page.locator("#chart svg").count() == 1
    context.close()
    return milliseconds


if __name__ == "__main__":
    sys.exit(main())
