"""What a dataset says as a whole: counts, and what failing machines share beyond chance."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path

import pytest

from loganalyzer.cli import run
from loganalyzer.errors import UsageError
from loganalyzer.fleet.overview.exact import Table, log_p
from loganalyzer.fleet.overview.machines import features, read_fleet
from loganalyzer.fleet.overview.overview import Overview, overview
from tests.synthetic_fleet import Machine, write_dataset

CAUSE = "proxy-breaks-agent-traffic"
RATE = 0.05
PLANTED = "waagent HttpProxy.Host: 10.0.0.4"


def seen(folder: Path, machines: list[Machine], since: datetime | None = None) -> Overview:
    return overview(read_fleet(write_dataset(folder, machines)), RATE, since)


def made_up(seed: int, planted: bool) -> list[Machine]:
    """150 machines with thirty settings that mean nothing; if planted, most of those with one proxy fail."""
    rng = random.Random(seed)
    frequent = {f"Decoy{number}": rng.choice((0.1, 0.3, 0.5, 0.9)) for number in range(30)}
    machines = []
    for number in range(150):
        proxied = rng.random() < 0.2
        fails = rng.random() < (0.7 if planted and proxied else 0.1)
        settings = {name: "y" if rng.random() < share else "n" for name, share in frequent.items()}
        settings |= {"HttpProxy.Host": "10.0.0.4" if proxied else "none", "Serial": str(number)}
        version = f"2.{rng.randrange(7, 12)}.{rng.randrange(3)}.{rng.randrange(3)}"
        labels = {"region": rng.choice(["north", "south", "west"])}
        machines.append(Machine(f"vm{number:03}", CAUSE if fails else None, settings, labels, version))
    return machines


def first_is_planted(folder: Path, seed: int) -> bool:
    factors = seen(folder / str(seed), made_up(seed, planted=True)).factors
    return bool(factors) and PLANTED in factors[0].features


class TestCommonFactors:
    def test_what_failing_machines_share_comes_first_among_decoys(self, tmp_path: Path) -> None:
        assert sum(first_is_planted(tmp_path, seed) for seed in range(12)) == 12

    @pytest.mark.slow
    def test_a_planted_factor_comes_first_in_nearly_all_fleets(self, tmp_path: Path) -> None:
        assert sum(first_is_planted(tmp_path, seed) for seed in range(200)) >= 190

    @pytest.mark.slow
    def test_fleets_without_a_factor_show_one_no_more_often_than_the_stated_rate(self, tmp_path: Path) -> None:
        fleets = [seen(tmp_path / str(seed), made_up(seed, planted=False)) for seed in range(200)]
        assert sum(bool(one.factors) for one in fleets) <= RATE * len(fleets)

    def test_features_of_the_same_machines_are_one_factor(self, tmp_path: Path) -> None:
        machines = [
            Machine(
                f"vm{number}",
                CAUSE if number < 6 else None,
                {"HttpProxy.Host": "10.0.0.4" if number < 6 else "none"},
                {"subscription": "a" if number < 6 else "b"},
            )
            for number in range(20)
        ]
        [factor] = [one for one in seen(tmp_path / "ds", machines).factors if one.cause == CAUSE]
        assert factor.features == ("label subscription: a", PLANTED)
        assert (factor.cases_with, factor.cases, factor.others_with, factor.others) == (6, 6, 0, 14)
        assert factor.difference == 1.0
        assert 0.4 < factor.difference_low < factor.difference_high <= 1.0

    def test_versions_are_compared_as_thresholds(self, tmp_path: Path) -> None:
        versions = ["2.7.1.0", "2.9.0.4", "2.10.0.1", "2.11.0.2"]
        machines = [
            Machine(f"vm{number:03}", CAUSE if number % 4 < 2 else None, agent_version=versions[number % 4])
            for number in range(80)
        ]
        assert "agent version up to 2.9.0.4" in seen(tmp_path / "ds", machines).factors[0].features

    def test_of_many_versions_some_are_thresholds_about_as_many_machines_apart(self, tmp_path: Path) -> None:
        versions = [f"2.{minor}.{patch}" for minor in range(7, 19) for patch in range(10)]
        machines = [
            Machine(f"vm{number:03}", CAUSE if number % 120 < 50 else None, agent_version=versions[number % 120])
            for number in range(240)
        ]
        fleet = read_fleet(write_dataset(tmp_path / "ds", machines))
        told = [one.label for one in features(fleet) if one.label.startswith("agent version up to")]
        assert 30 <= len(told) <= 40
        others = [replace(one, cause=None if one.cause else CAUSE) for one in machines]
        assert features(read_fleet(write_dataset(tmp_path / "others", others))) == features(fleet)
        strongest = overview(fleet, RATE).factors[0]
        assert any(name in strongest.features for name in (f"agent version up to {one}" for one in versions[47:53]))

    def test_several_bundles_of_a_machine_count_once(self, tmp_path: Path) -> None:
        later = datetime(2026, 3, 9, tzinfo=UTC)
        machines = [Machine("vm1-monday", CAUSE, hosts=["vm1"]), Machine("vm1-friday", None, hosts=["vm1"], last=later)]
        found = seen(tmp_path / "ds", [*machines, Machine("vm2", CAUSE)])
        assert (found.bundles, found.machines) == (3, 2)
        assert [(one.cause, one.machines) for one in found.causes] == [(CAUSE, 1)]

    def test_tokens_that_are_numbered_in_each_report_make_no_machines_one(self, tmp_path: Path) -> None:
        machines = [Machine(f"vm{number}", hosts=["<host:1>"]) for number in range(3)]
        assert seen(tmp_path / "ds", machines).machines == 3


@pytest.mark.parametrize(
    ("table", "p"),
    [
        (Table(3, 4, 1, 4), 2 * 17 / 70),
        (Table(4, 4, 0, 4), 2 / 70),
        (Table(2, 4, 2, 4), 1.0),
    ],
)
def test_the_p_value_is_twice_the_exact_tail(table: Table, p: float) -> None:
    assert log_p(table) == pytest.approx(log(p), abs=1e-9)


class TestOverview:
    def test_counts_are_of_machines(self, tmp_path: Path) -> None:
        machines = [
            Machine("vm1", CAUSE, errors=["UserErrorMadeUp"], templates=["it failed <*>"]),
            Machine("vm2", CAUSE, errors=["UserErrorMadeUp"], last=datetime(2026, 2, 3, tzinfo=UTC)),
            Machine("vm3", templates=["it failed <*>"], agent_version="2.2.46"),
        ]
        found = seen(tmp_path / "ds", machines)
        assert dict(found.verdicts) == {"cause-found": 2, "cannot-tell": 1}
        [cause] = found.causes
        assert [(f"{week}", count) for week, count in cause.weeks] == [("2026-02-02", 1), ("2026-03-02", 1)]
        assert [(one.code, one.machines, one.explained_by) for one in found.errors] == [
            ("UserErrorMadeUp", 2, ((CAUSE, 2),))
        ]
        assert [(one.artefact, one.machines, one.names) for one in found.cannot_tell] == [
            ("lin.waagent_log", 1, ("vm3",))
        ]
        assert [(one.template, one.machines, one.count) for one in found.clusters] == [("it failed <*>", 2, 4)]
        assert [(one.value, one.machines, one.with_cause) for one in found.by["agent_version"]] == [
            ("2.9.1.1", 2, 2),
            ("2.2.46", 1, 0),
        ]

    def test_clusters_since_a_time_are_those_that_began_then(self, tmp_path: Path) -> None:
        old = datetime(2026, 1, 5, tzinfo=UTC)
        new = old + timedelta(days=30)
        machines = [
            Machine("vm1", templates=["old one"], last=old),
            Machine("vm2", templates=["old one", "new one"], last=new),
        ]
        found = seen(tmp_path / "ds", machines, since=new)
        assert [one.template for one in found.clusters] == ["new one"]

    def test_a_folder_that_is_no_dataset_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no dataset"):
            read_fleet(tmp_path)


class TestCommand:
    def test_the_first_lines_tell_causes_and_the_factor(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "120")
        dataset = write_dataset(tmp_path / "ds", made_up(1, planted=True))
        assert run(["fleet", str(dataset)]) == 0
        told = capsys.readouterr().out
        assert told.startswith("150 machines, 150 bundles\n")
        assert told.index(CAUSE) < told.index("Common factors") < told.index(PLANTED) < told.index("By agent version")

    def test_json_has_all_of_it_and_hostile_names_stay_text(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        hostile = "\x1b[31mred\nline"
        machines = [Machine(f"vm{number}", CAUSE, labels={hostile: hostile}) for number in range(3)]
        dataset = write_dataset(tmp_path / "ds", [*machines, Machine("vm9")])
        assert run(["fleet", str(dataset), "-f", "json"]) == 0
        told = capsys.readouterr().out
        assert "\x1b" not in told
        found = json.loads(told)
        assert (found["schema"], found["machines"], found["verdicts"]["cause-found"]) == ("loganalyzer/fleet/1", 4, 3)
        assert found["causes"][0]["weeks"] == [{"week": "2026-03-02", "machines": 3}]
        assert run(["fleet", str(dataset)]) == 0
        assert "\x1b" not in capsys.readouterr().out


class TestQuery:
    def test_a_dataset_is_asked_like_a_bundle(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        dataset = write_dataset(tmp_path / "ds", [Machine("vm1", CAUSE), Machine("vm2", labels={"region": "north"})])
        asked = "SELECT b.bundle, s.value FROM bundles b JOIN settings s USING (bundle_id) WHERE b.cause IS NOT NULL"
        assert run(["query", str(dataset), asked, "-f", "json"]) == 0
        assert json.loads(capsys.readouterr().out) == [{"bundle": "vm1.zip", "value": "2.9.1.1"}]

    def test_its_tables_are_listed_with_their_meanings(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        dataset = write_dataset(tmp_path / "ds", [Machine("vm1")])
        assert run(["query", str(dataset), "--tables", "-f", "json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        assert {(row["table"], row["rows"]) for row in rows} >= {("bundles", 1), ("diagnoses", 0), ("settings", 1)}
        assert all(row["meaning"] for row in rows)

    def test_a_question_that_it_cannot_answer_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        dataset = write_dataset(tmp_path / "ds", [Machine("vm1")])
        assert run(["query", str(dataset), "SELECT nothing FROM bundles"]) == 2
        (dataset / "part=00-00000/bundles.parquet").write_bytes(b"broken")
        assert run(["query", str(dataset), "SELECT bundle FROM bundles"]) == 2
        assert run(["fleet", str(dataset)]) == 2
        assert "Traceback" not in capsys.readouterr().err
