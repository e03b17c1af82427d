"""The library: what ``import loganalyzer`` offers, how light it is, and that it says what the command line says."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import loganalyzer
from loganalyzer import BundleError, Report, UsageError, from_json, read, scan, to_json
from loganalyzer.pipeline import ScanOptions
from loganalyzer.pipeline import scan as scan_in_full
from loganalyzer.schema import SHARED_COLUMNS, TIMESTAMP
from loganalyzer.windows import Ticket
from sample_logs import linux_bundles, linux_secrets
from sample_logs.packing import write_directory, zip_bytes

ROOT = Path(__file__).resolve().parent.parent
FAILING = linux_bundles.extensions_disabled()


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("failing")
    write_directory(FAILING.files, folder)
    return folder


def in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = """
import sys
import loganalyzer
heavy = {"polars", "pyarrow", "rich", "click", "sigma", "evtx", "lxml", "yaml", "orjson", "msgspec"}
print(sorted(heavy & set(sys.modules)), [one for one in sys.modules if one.startswith("loganalyzer.")])
"""
    assert in_a_new_process(code) == "[] []"


def test_an_error_is_imported_without_the_engine() -> None:
    code = "import sys\nfrom loganalyzer import LogAnalyzerError\nprint('polars' in sys.modules)"
    assert in_a_new_process(code) == "False"


@pytest.mark.parametrize("name", loganalyzer.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(loganalyzer, name)
    assert name == "__version__" or found.__doc__
    assert name in dir(loganalyzer)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'scann'"):
        loganalyzer.scann  # type: ignore[attr-defined]  # noqa: B018


def test_a_type_checker_sees_the_types_of_all_public_names(tmp_path: Path) -> None:
    """Asked without mypy, which is a tool of development: the names imported for type checkers are all public ones."""
    text = Path(loganalyzer.__file__).read_text(encoding="utf-8")
    block = text[text.index("if TYPE_CHECKING:") : text.index("__version__ =")]
    names = {name.strip() for line in re.findall(r"import (.+)", block) for name in line.split(",")}
    assert names | {"__version__"} == set(loganalyzer.__all__)
    assert Path(loganalyzer.__file__).with_name("py.typed").exists()


def test_scan_gives_the_report_of_the_whole_way(failing: Path) -> None:
    at = datetime(2025, 6, 11, 1, 30)
    report = scan(failing, errors=["UserErrorGuestAgentStatusUnavailable"], at=at, time_zone="Europe/Rome")
    ticket = Ticket(("UserErrorGuestAgentStatusUnavailable",), at.replace(tzinfo=UTC))
    options = ScanOptions(time_zone="Europe/Rome", ticket=ticket)
    assert isinstance(report, Report)
    assert report.diagnoses[0].cause == "waagent-options-not-set"
    assert to_json(report) == to_json(scan_in_full([failing], options).report)


def test_a_report_is_read_back_as_it_was_written(failing: Path) -> None:
    report = scan(failing)
    assert from_json(to_json(report), "report.json") == report


def test_rules_of_ones_own_and_choices_of_parsers_are_told_by_name(failing: Path) -> None:
    faulty = scan(failing, rules={"mine.yml": "title: no rule"}).rules.unable
    assert any(one.rule.startswith("mine.yml") for one in faulty)
    read_as = scan(failing, parse_as={"waagent.conf": "waagent_log"})
    assert [one.parser for one in read_as.coverage if one.source.endswith("waagent.conf")] == ["waagent_log"]
    with pytest.raises(UsageError, match="no parser 'nope'"):
        scan(failing, parse_as={"*": "nope"})


def test_what_is_wrong_is_an_error_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere"):
        scan(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="unknown time zone 'Rome/Europe'"):
        read(tmp_path, time_zone="Rome/Europe")


def test_read_gives_a_frame_a_log_source_with_the_shared_columns(failing: Path) -> None:
    events = read(failing)
    assert list(events.frames) == sorted(events.frames)
    assert dict(events) == dict(events.frames)
    agent = events.frames["linux/waagent"]
    assert set(SHARED_COLUMNS) <= set(agent.columns)
    assert agent.schema["@timestamp"] == TIMESTAMP
    assert agent.filter(pl.col("message").str.contains("xtension")).height > 0


def test_secrets_of_frames_are_tokens_unless_they_are_asked_for(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(zip_bytes(linux_secrets.bundle().files))
    hidden, shown = read(bundle), read(bundle, redact=False)
    texts = [
        [text for frame in events.frames.values() for text in frame["event.original"].drop_nulls()]
        for events in (hidden, shown)
    ]
    assert any("sig=" in text for text in texts[1])
    assert not any("sig=" in text for text in texts[0])
    assert sum("<sas:" in text for text in texts[0]) > sum("<sas:" in text for text in texts[1]) == 0


def test_what_could_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.bin").write_bytes(b"\0\1\2 nobody knows this")
    (tmp_path / "cut.zip").write_bytes(zip_bytes(FAILING.files)[:-400])
    events = read(tmp_path)
    assert "notes.bin" in events.unrecognised
    assert any(one.startswith("cut.zip") for one in events.unread)


def test_the_example_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^    from loganalyzer import .*\n(?:    .*\n|\n)+", readme, re.MULTILINE)
    monkeypatch.chdir(ROOT)
    exec(compile(re.sub(r"^    ", "", example, flags=re.MULTILINE), "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed == re.findall(r"# prints: (.*)", example)
    assert len(printed) >= 3
