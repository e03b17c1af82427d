"""Writes the sample bundles, and with ``--expected`` also the report that a scan of each has to give.

    python sample_logs/generate.py [--expected]

All bundles are synthetic: fixed seeds, so the same bytes each time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loganalyzer.pipeline import scan
from loganalyzer.report.json_report import to_json
from sample_logs import linux_bundles, linux_secrets, windows_bundles
from sample_logs.packing import SampleBundle, write_bundle

HERE = Path(__file__).resolve().parent
BUNDLES = HERE / "bundles"
EXPECTED = HERE / "expected"


def bundles() -> tuple[SampleBundle, ...]:
    """Every sample bundle."""
    return (*linux_bundles.bundles(), linux_secrets.bundle(), *windows_bundles.bundles())


def expected_report(bundle: SampleBundle, report_json: bytes) -> bytes:
    """The JSON report of a scan of the bundle, without what differs between machines and releases."""
    report = json.loads(report_json)
    report["bundle"]["path"] = bundle.name
    report["tool"]["version"] = report["catalogue"]["version"] = "0"
    report["catalogue"]["rules"] = report["receipt"]["rules_ran"] = report["rules"]["ran"] = 0
    return (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode()


def main(arguments: list[str] | None = None) -> int:
    """Writes the files; says what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--expected", action="store_true", help="also rewrite the expected reports (read the diff!)")
    given = parser.parse_args(arguments)
    BUNDLES.mkdir(exist_ok=True)
    EXPECTED.mkdir(exist_ok=True)
    for bundle in bundles():
        path = write_bundle(bundle, BUNDLES)
        size = sum(len(data) for data in bundle.files.values()) if path.is_dir() else path.stat().st_size
        told = ""
        if given.expected:
            data = expected_report(bundle, to_json(scan([path]).report))
            (EXPECTED / f"{bundle.name}.json").write_bytes(data)
            report = json.loads(data)
            found = report["diagnoses"][0]["cause"] if report["diagnoses"] else None
            told = f"  {report['verdict']}: {found}"
            if (report["verdict"], found) != (bundle.verdict, bundle.cause):
                told += f"  (should be {bundle.verdict}: {bundle.cause})"
        print(f"{path.name:48}{size:8} bytes{told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
