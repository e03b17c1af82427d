"""What changed since an older dataset: causes, machines and clusters, in the value and in every form of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import Final

import pytest

from loganalyzer.cli import run
from loganalyzer.fleet.overview.change import Change
from loganalyzer.fleet.overview.exact import log_p_of_pairs
from loganalyzer.fleet.overview.machines import read_fleet
from loganalyzer.fleet.overview.overview import Overview, overview
from tests.synthetic_fleet import CAUSE, Machine, write_dataset

OTHER: Final = "wireserver-blocked"
WELL: Final = "no-fault-found"


def compared(folder: Path, older: list[Machine], newer: list[Machine]) -> Overview:
    fleets = [read_fleet(write_dataset(folder / name, machines)) for name, machines in (("old", older), ("new", newer))]
    return overview(fleets[1], 0.05, None, fleets[0])


def change_of(folder: Path, older: list[Machine], newer: list[Machine]) -> Change:
    found = compared(folder, older, newer).against
    assert found is not None
    return found


class TestMachines:
    @pytest.mark.parametrize(
        ("before", "after", "kind"),
        [
            (Machine("vm1", verdict=WELL), Machine("vm1", CAUSE), "newly-failing"),
            (Machine("vm1"), Machine("vm1", CAUSE), "newly-told"),
            (Machine("vm1", CAUSE), Machine("vm1", OTHER), "other-cause"),
            (Machine("vm1", CAUSE), Machine("vm1"), "no-longer-told"),
            (Machine("vm1", CAUSE), Machine("vm1", verdict=WELL), "recovered"),
        ],
    )
    def test_a_machine_changes_by_what_is_proved(
        self, tmp_path: Path, before: Machine, after: Machine, kind: str
    ) -> None:
        [found] = change_of(tmp_path, [before], [after]).machines
        assert (found.change, found.machines) == (kind, 1)
        [machine] = found.named
        assert (machine.name, machine.before, machine.after) == ("vm1", before.cause, after.cause)
        assert machine.report == "reports/00/vm1.json"

    @pytest.mark.parametrize("machine", [Machine("vm1"), Machine("vm1", CAUSE), Machine("vm1", verdict=WELL)])
    def test_a_machine_that_stays_as_it_was_has_not_changed(self, tmp_path: Path, machine: Machine) -> None:
        assert change_of(tmp_path, [machine], [machine]).machines == ()

    def test_a_machine_of_one_dataset_alone_has_neither_failed_nor_recovered(self, tmp_path: Path) -> None:
        found = change_of(tmp_path, [Machine("vm1", CAUSE), Machine("vm2")], [Machine("vm2"), Machine("vm3", CAUSE)])
        assert (found.machines_before, found.in_both, found.machines) == (2, 1, ())


class TestCauses:
    def test_a_cause_rises_by_the_machines_that_both_datasets_have(self, tmp_path: Path) -> None:
        older = [Machine("vm1", CAUSE), Machine("vm2", OTHER), Machine("vm3", OTHER), Machine("vm4")]
        newer = [Machine("vm1", CAUSE), Machine("vm2", CAUSE), Machine("vm3", OTHER), Machine("vm4", CAUSE)]
        found = {one.cause: one for one in change_of(tmp_path, older, newer).causes}
        rose, fell = found[CAUSE], found[OTHER]
        assert (rose.change, rose.before, rose.after, rose.gained, rose.lost) == ("rose", 1, 3, 2, 0)
        assert (fell.change, fell.before, fell.after, fell.gained, fell.lost) == ("fell", 2, 1, 0, 1)
        assert not rose.beyond_chance

    def test_machines_that_were_only_added_make_no_cause_rise(self, tmp_path: Path) -> None:
        older = [Machine("vm0", CAUSE), Machine("vm1")]
        added = [Machine(f"vm{number}", CAUSE) for number in range(2, 30)]
        [cause] = change_of(tmp_path, older, [*older, *added]).causes
        assert (cause.change, cause.before, cause.after) == ("same", 1, 29)

    def test_a_cause_of_one_dataset_alone_is_new_or_gone(self, tmp_path: Path) -> None:
        found = change_of(tmp_path, [Machine("vm1", OTHER)], [Machine("vm1", CAUSE)])
        assert [(one.cause, one.change) for one in found.causes] == [(CAUSE, "new"), (OTHER, "gone")]

    def test_a_change_of_many_machines_in_one_way_is_beyond_chance_and_coming_and_going_is_not(
        self, tmp_path: Path
    ) -> None:
        well = [Machine(f"vm{number:02}", verdict=WELL) for number in range(40)]
        failing = [Machine(f"vm{number:02}", CAUSE if number < 20 else OTHER) for number in range(40)]
        mixed = [Machine(f"vm{number:02}", OTHER if number < 20 else CAUSE) for number in range(40)]
        risen = change_of(tmp_path / "risen", well, failing)
        assert [(one.change, one.gained, one.beyond_chance) for one in risen.causes] == [("new", 20, True)] * 2
        swapped = change_of(tmp_path / "swapped", failing, mixed)
        assert [(one.change, one.gained, one.beyond_chance) for one in swapped.causes] == [("same", 20, False)] * 2

    @pytest.mark.parametrize(("pair", "p"), [((5, 0), 2 / 32), ((4, 1), 12 / 32), ((3, 3), 1.0), ((0, 0), 1.0)])
    def test_the_p_value_of_pairs_is_twice_the_tail_of_a_fair_coin(self, pair: tuple[int, int], p: float) -> None:
        assert log_p_of_pairs(*pair) == pytest.approx(log(p), abs=1e-9)
        assert log_p_of_pairs(*reversed(pair)) == pytest.approx(log(p), abs=1e-9)


class TestClusters:
    def test_what_the_older_dataset_lacks_is_new_and_what_the_newer_one_lacks_is_counted(self, tmp_path: Path) -> None:
        older = [Machine("vm1", templates=["stays <*>", "goes <*>", "goes too <*>"])]
        found = compared(tmp_path, older, [Machine("vm1", templates=["stays <*>", "comes <*>"])])
        assert {one.template: one.in_older for one in found.clusters} == {"stays <*>": True, "comes <*>": False}
        assert found.against is not None
        assert found.against.gone_clusters == 2

    def test_without_an_older_dataset_nothing_is_said_of_one(self, tmp_path: Path) -> None:
        found = overview(read_fleet(write_dataset(tmp_path / "ds", [Machine("vm1", templates=["it <*>"])])), 0.05)
        assert found.against is None
        assert [one.in_older for one in found.clusters] == [None]


class TestUnlike:
    @pytest.mark.parametrize(
        ("older", "newer", "why"),
        [
            (Machine("vm1"), Machine("vm2"), "no machine is in both"),
            (Machine("vm1"), Machine("vm1", judged_by="other rules"), "judged by other signatures"),
            (Machine("vm1"), Machine("vm1", last=datetime(2026, 1, 1, tzinfo=UTC)), "ends before the older one"),
        ],
    )
    def test_what_makes_datasets_hard_to_compare_is_told(
        self, tmp_path: Path, older: Machine, newer: Machine, why: str
    ) -> None:
        [told] = change_of(tmp_path, [older], [newer]).unlike
        assert why in told

    def test_datasets_that_can_be_compared_have_no_such_note(self, tmp_path: Path) -> None:
        assert change_of(tmp_path, [Machine("vm1")], [Machine("vm1", CAUSE)]).unlike == ()


class TestForms:
    OLDER = (Machine("vm1", CAUSE), Machine("vm2", verdict=WELL), Machine("vm3", OTHER, templates=["old <*>"]))
    NEWER = (Machine("vm1", verdict=WELL), Machine("vm2", CAUSE), Machine("vm3", OTHER, templates=["late <*>"]))

    def written(self, folder: Path, *words: str) -> int:
        older, newer = write_dataset(folder / "old", self.OLDER), write_dataset(folder / "new", self.NEWER)
        return run(["fleet", str(newer), "--against", str(older), *words])

    def test_text_tells_it_before_all_else(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.written(tmp_path) == 0
        told = capsys.readouterr().out
        assert told.index("3 machines then, 3 in both") < told.index("Causes by week")
        assert "newly failing: 1 (vm2)" in told
        assert "recovered: 1 (vm1)" in told
        assert "new: late <*>" in told

    def test_json_has_it_under_against(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.written(tmp_path, "-f", "json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["against"]["verdicts_before"] == {"cause-found": 2, WELL: 1}
        assert [(one["change"], one["named"][0]["name"]) for one in found["against"]["machines"]] == [
            ("newly-failing", "vm2"),
            ("recovered", "vm1"),
        ]

    def test_the_page_has_a_section_of_it_and_marks_what_is_new(self, tmp_path: Path) -> None:
        assert self.written(tmp_path, "-o", str(tmp_path / "fleet.html")) == 0
        page = (tmp_path / "fleet.html").read_text(encoding="utf-8")
        assert page.index('id="changes"') < page.index('id="causes"')
        assert page.index("Newly failing: 1 machine<") < page.index("vm2") < page.index("Recovered: 1 machine<")
        assert page.count("not in the older dataset") == 1
        words = " ".join(re.sub("<[^>]*>", "", page).split())
        assert "vm2 Proxy intercepts" in words

    def test_an_older_dataset_that_is_none_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        newer = write_dataset(tmp_path / "new", self.NEWER)
        assert run(["fleet", str(newer), "--against", str(tmp_path / "nothing")]) == 2
        assert "no dataset" in capsys.readouterr().err
