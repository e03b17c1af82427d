"""Scores the scanner on labelled folders: ``python bench/labelled.py FOLDER...``.

Each child of FOLDER is a bundle with a ``label.yaml`` (expected_causes, acceptable_causes, must_not, healthy,
decidable), which is left out of the scan. Prints one line a bundle and the totals, beside what the best constant
answer would score.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loganalyzer.pipeline import scan
from loganalyzer.report.model import Report


@dataclass(frozen=True, slots=True)
class Scored:
    """One bundle's label beside the scanner's answer."""

    name: str
    label: dict[str, Any]
    report: Report

    @property
    def parsed(self) -> bool:
        """Whether any source of the bundle was read."""
        return any(row.status in ("read", "partial") for row in self.report.coverage)

    @property
    def first(self) -> str:
        """The first diagnosis' cause, or the bundle's verdict."""
        return self.report.diagnoses[0].cause if self.report.diagnoses else self.report.verdict

    @property
    def wrong(self) -> list[str]:
        """Diagnoses that the label forbids; in a healthy folder, confirmed or likely ones that are not acceptable."""
        accepted = {*self.label["expected_causes"], *(self.label.get("acceptable_causes") or ())}
        forbidden = set(self.label.get("must_not") or ())
        if self.label["healthy"]:
            firm = [one.cause for one in self.report.diagnoses if one.verdict != "possible"]
            return [cause for cause in firm if cause not in accepted]
        return [one.cause for one in self.report.diagnoses if one.cause in forbidden]

    @property
    def counted(self) -> bool:
        """A failing bundle that a perfect tool decides and of which something is read."""
        return not self.label["healthy"] and str(self.label["decidable"]) == "yes" and self.parsed


def main(folders: list[str]) -> None:
    """Prints the table."""
    scored = [_score(path) for folder in folders for path in sorted(Path(folder).iterdir()) if path.is_dir()]
    for one in scored:
        label = one.label
        right = one.first in label["expected_causes"]
        accepted = right or one.first in (label.get("acceptable_causes") or ())
        mark = "healthy" if label["healthy"] else "right" if right else "accepted" if accepted else "-"
        causes = ", ".join(f"{d.cause}={d.verdict}" for d in one.report.diagnoses[:4])
        print(f"{one.name:45} {label['decidable']!s:7} {mark:9} {one.report.verdict:15} {causes}")
        if not accepted and not label["healthy"]:
            wanted = ", ".join(item.artefact for item in one.report.next_evidence[:3])
            print(f"{'':45} expected {', '.join(label['expected_causes'])}; asks for {wanted}")
        if one.wrong:
            print(f"{'':45} WRONG {', '.join(one.wrong)}")
    _totals(scored)


def _score(path: Path) -> Scored:
    label = yaml.safe_load((path / "label.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns("label.yaml"), copy_function=shutil.copyfile)
        return Scored(path.name, label, scan([str(copy)]).report)


def _totals(scored: list[Scored]) -> None:
    counted = [one for one in scored if one.counted]
    expected = sum(one.first in one.label["expected_causes"] for one in counted)
    accepted = sum(
        one.first in [*one.label["expected_causes"], *(one.label.get("acceptable_causes") or ())] for one in counted
    )
    answers = Counter(cause for one in counted for cause in set(one.label["expected_causes"]))
    constant = answers.most_common(1)
    healthy = [one for one in scored if one.label["healthy"]]
    print(f"\nfailing, decidable, something read: {len(counted)}")
    print(f"  first diagnosis expected:                {expected}")
    print(f"  first diagnosis expected or acceptable:  {accepted}")
    print(f"  best constant answer ({constant}) scores {constant[0][1] if constant else 0}")
    print(f"healthy: {len(healthy)}, with a wrong confirmed or likely cause: {sum(bool(one.wrong) for one in healthy)}")
    print(f"failing with a forbidden diagnosis: {sum(bool(one.wrong) for one in scored if not one.label['healthy'])}")


if __name__ == "__main__":
    main(sys.argv[1:])
