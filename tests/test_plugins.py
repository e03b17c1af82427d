"""Plug-ins: the example adds one of each group; whatever is wrong with one costs only itself, and is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loganalyzer import PluginWarning, plugins, read
from loganalyzer import scan as scan_report
from loganalyzer.cli import run
from loganalyzer.parser import ParseContext
from loganalyzer.registry import parsers
from loganalyzer.source import Source

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "tests" / "plugin_example"
SHIELD = (
    b"2026-03-01 02:10:11Z [WARN] held back: /opt/snapshot by badge C-00417\n"
    b"2026-03-01 02:10:12Z [INFO] nothing else from C-00417 or C-00418\n"
)
CAUSE = "antivirus-blocks-extension"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    monkeypatch.setenv("COLUMNS", "120")

    def called(*words: str | Path) -> Said:
        status = run([str(word) for word in words])
        return Said(status, *capfd.readouterr())

    return called


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    log = tmp_path / "bundle" / "opt" / "contoso" / "shield.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(SHIELD)
    return tmp_path / "bundle"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a distribution as an installer leaves it: modules, and metadata with entry points."""
    site = tmp_path / "site"
    before = set(sys.modules)

    def installed(points: dict[str, dict[str, str]], modules: dict[str, str] | None = None, name: str = "acme") -> None:
        info = site / f"{name}-2.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\n", encoding="utf-8")
        text = "".join(
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in found.items())
            for group, found in points.items()
        )
        (info / "entry_points.txt").write_text(text, encoding="utf-8")
        for path, source in (modules or {}).items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(str(site))
        forget()

    def forget() -> None:
        plugins.may_be_installed.cache_clear()
        plugins._points.cache_clear()
        plugins._loaded.cache_clear()

    yield installed
    monkeypatch.undo()
    forget()
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def example(install: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, under the entry points that it declares."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install(project["entry-points"], name=project["name"])


# the example


@pytest.mark.usefixtures("example")
def test_the_example_is_seen_working_in_a_scan(call: Any, bundle: Path) -> None:
    said = call("scan", bundle, "-f", "json")
    report = said.json
    assert (said.status, said.err) == (1, "")
    assert report["diagnoses"][0]["cause"] == CAUSE
    assert [row["parser"] for row in report["coverage"]] == ["contoso_shield_log"]
    assert report["diagnoses"][0]["evidence"][0]["rule_title"] == "The Contoso shield holds the snapshot back"
    assert [(one["group"], one["name"], one["fault"]) for one in report["plugins"]] == [
        ("loganalyzer.parsers", "contoso_shield_log", None),
        ("loganalyzer.rules", "contoso", None),
        ("loganalyzer.outputs", "oneline", None),
        ("loganalyzer.redactors", "badge", None),
    ]
    assert {(one["distribution"], one["version"]) for one in report["plugins"]} == {("contoso-backup-plugins", "2.0")}


@pytest.mark.usefixtures("example")
def test_its_output_is_chosen_by_name_and_by_suffix(call: Any, bundle: Path, tmp_path: Path) -> None:
    line = "cause-found: Antivirus restricts the backup extension\n"
    assert call("scan", bundle, "-f", "oneline", "-o", tmp_path / "a.oneline").out == line
    assert (tmp_path / "a.oneline").read_text(encoding="utf-8") == line


@pytest.mark.usefixtures("example")
def test_its_redactor_hides_what_it_finds_wherever_texts_leave(call: Any, bundle: Path) -> None:
    assert "badge <secret:1>" in call("scan", bundle).out
    rows = call("timeline", bundle, "-f", "ndjson").out
    assert "C-00417" not in rows
    assert rows.count("<secret:1>") >= 2
    assert "<secret:2>" in rows
    frame = read(bundle).frames["linux/contoso_shield"]
    assert "C-004" not in "".join(frame["event.original"])
    assert "C-00417" in "".join(read(bundle, redact=False).frames["linux/contoso_shield"]["message"])


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize("words", [["--no-plugins", "scan"], ["scan", "--no-plugins"]])
def test_plug_ins_are_switched_off_by_a_flag(call: Any, bundle: Path, words: list[str]) -> None:
    report = call(*words, bundle, "-f", "json").json
    assert (report["diagnoses"], report["plugins"]) == ([], [])
    assert call("scan", bundle, "-f", "json").json["plugins"] != []


@pytest.mark.usefixtures("example")
def test_plug_ins_are_switched_off_by_a_variable(call: Any, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGANALYZER_PLUGINS", "off")
    assert call("scan", bundle, "-f", "json").json["plugins"] == []
    assert {row["state"] for row in call("plugins", "list", "-f", "json").json} == {"off"}
    assert "switched off" in call("plugins", "list").out
    monkeypatch.setenv("LOGANALYZER_PLUGINS", "perhaps")
    said = call("scan", bundle)
    assert (said.status, said.out) == (2, "")
    assert "LOGANALYZER_PLUGINS='perhaps' is neither on nor off" in said.err


@pytest.mark.usefixtures("example")
def test_plugins_list_tells_group_name_package_version_and_file(call: Any) -> None:
    rows = call("plugins", "list", "-f", "json").json
    assert [row["group"] for row in rows] == list(plugins.GROUPS)
    assert {row["state"] for row in rows} == {"in use"}
    assert rows[0]["origin"] == str(EXAMPLE / "contoso_backup" / "shield_log.py")
    text = call("plugins", "list").out
    assert "loganalyzer.redactors  badge  contoso-backup-plugins 2.0  in use" in text
    assert str(EXAMPLE / "contoso_backup" / "badges.py") in text


@pytest.mark.usefixtures("example")
def test_the_parser_of_a_plug_in_is_held_to_its_samples() -> None:
    (parser,) = [one for one in parsers() if one.name == "contoso_shield_log"]
    for sample in parser.samples:
        claim = parser.claim(sample.path, sample.raw)
        assert claim is not None
        assert claim.strength == 90
        (frame,) = parser.parse(Source(sample.path, sample.raw), ParseContext()).frames
        got = [{key: row[key] for key in want} for row, want in zip(frame.rows.to_dicts(), sample.events, strict=True)]
        assert got == list(sample.events)


@pytest.mark.usefixtures("example")
def test_one_of_ones_own_stands_for_a_rule_of_a_pack(call: Any, bundle: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    text = (EXAMPLE / "contoso_backup" / "rules" / "shield.yml").read_text(encoding="utf-8")
    own.write_text(text.replace("title: The Contoso shield", "title: Our shield"), encoding="utf-8")
    evidence = call("scan", bundle, "-f", "json", "--rules", own).json["diagnoses"][0]["evidence"]
    assert [one["rule_title"] for one in evidence] == ["Our shield holds the snapshot back"]


def test_without_plug_ins_there_is_nothing_to_list(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loganalyzer.cli.plugins.all_installed", lambda: ())
    assert call("plugins", "list").out.startswith("no plug-in is installed")
    assert call("plugins", "list", "-f", "json").json == []


def test_the_document_shows_the_example_as_it_is() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```(?:python|toml)\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    files = [path.read_text(encoding="utf-8") for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert len(shown) == 4
    assert [one for one in shown if not any(one in file for file in files)] == []
    assert [group for group in plugins.GROUPS if f"`{group}`" not in text] == []


# what is wrong with a plug-in

PARSER = """
from loganalyzer.parser import Claim, LogSource, Parsed, rejected_whole
class P:
    name = "acme_log"
    title = "t"
    logsource = LogSource(product="linux", service="acme")
    paths = ()
    samples = ()
    def claim(self, path, head):
        return Claim(90, "mine") if path.endswith("shield.log") else None
    def parse(self, source, context):
        return rejected_whole(source, "not today")
parser = P()
"""


def changed(**code: str) -> str:
    """A parser with other attributes or bodies of methods."""
    return PARSER + "".join(f"P.{name} = {text}\n" for name, text in code.items())


BROKEN = [
    ("parsers", "raise ValueError('out of order')", "ValueError: out of order"),
    ("parsers", "import no_such_module_of_anybody", "No module named 'no_such_module_of_anybody'"),
    ("parsers", "import sys; sys.exit('bye')", "SystemExit: bye"),
    ("parsers", "other = 1", "has no attribute 'parser'"),
    ("parsers", "parser = 7", "it is no parser: its name is not a str"),
    ("parsers", changed(name="'Acme Log'"), "'Acme Log' is not in snake_case"),
    ("parsers", changed(parse="None"), "it has no method parse"),
    ("parsers", changed(paths="(1,)"), "its paths are not all str"),
    ("parsers", changed(name="'waagent_log'"), "another parser is called 'waagent_log'"),
    ("parsers", changed(claim="lambda self, path, head: 1 / 0"), "ZeroDivisionError"),
    ("parsers", changed(claim="lambda self, path, head: 90"), "claim gives 90"),
    ("parsers", changed(parse="lambda self, source, context: 1 / 0"), "ZeroDivisionError"),
    ("parsers", changed(parse="lambda self, source, context: []"), "no Parsed"),
    ("parsers", changed(parse="lambda self, source, context: Parsed((), 1, 1)"), "accounts for 1 bytes of"),
    ("rules", "raise ValueError('out of order')", "ValueError: out of order"),
    ("rules", "parser = 7", "a rule pack is a package, or a callable"),
    ("rules", "parser = lambda: {}", "brings no rule file"),
    ("rules", "parser = lambda: ['a']", "it gives a list"),
    ("rules", "parser = lambda: {'a.yml': 1}", "not str"),
    ("rules", "parser = lambda: 1 / 0", "ZeroDivisionError"),
    (
        "rules",
        "parser = lambda: {'a.yml': 'title: [', 'b.yml': 'title: x'}",
        "faults of rules: 3, the first: no valid YAML",
    ),
    ("outputs", "raise ValueError('out of order')", "ValueError: out of order"),
    ("outputs", "parser = 7", "no OutputFormat"),
    ("redactors", "raise ValueError('out of order')", "ValueError: out of order"),
    ("redactors", "parser = 7", "a redactor is a callable"),
    ("redactors", "parser = lambda text: 1 / 0", "ZeroDivisionError"),
    ("redactors", "parser = lambda text: 7", "TypeError"),
    ("redactors", "parser = lambda text: [(0, 10 ** 9, 'secret')]", "no span"),
    ("redactors", "parser = lambda text: [(0, 1, 'colour')]", "no span"),
    ("redactors", "parser = lambda text: ['secret']", "no span"),
]


@pytest.mark.parametrize(("group", "code", "told"), BROKEN)
def test_a_broken_plug_in_is_listed_with_its_fault_or_told_by_the_scan(
    call: Any, bundle: Path, install: Callable[..., None], group: str, code: str, told: str
) -> None:
    (bundle / "etc").mkdir()
    (bundle / "etc" / "waagent.conf").write_text("Extensions.Enabled=n\n", encoding="utf-8")
    install({f"loganalyzer.{group}": {"acme": "acme_plugin:parser"}}, {"acme_plugin.py": code})
    listed = call("plugins", "list", "-f", "json")
    assert listed.status == 0
    said = call("scan", bundle, "-f", "json", "--exit-zero")
    (entry,) = said.json["plugins"]
    assert (said.status, entry["group"], entry["name"]) == (0, f"loganalyzer.{group}", "acme")
    assert said.json["diagnoses"][0]["cause"] == "waagent-options-not-set"
    fault = entry["fault"] or listed.json[0]["fault"]  # a format is loaded where it is asked for
    assert told in fault
    assert "Traceback" not in said.err + listed.err
    if group != "outputs":
        assert f"warning: plug-in 'acme' of acme 2.0 (loganalyzer.{group}): " in said.err
        assert told in said.err


def test_a_source_whose_parser_fails_is_rejected_whole_and_says_by_whom(
    call: Any, bundle: Path, install: Callable[..., None]
) -> None:
    code = changed(parse="lambda self, source, context: 1 / 0")
    install({"loganalyzer.parsers": {"acme": "acme_plugin:parser"}}, {"acme_plugin.py": code})
    said = call("scan", bundle, "-f", "json")
    (row,) = said.json["coverage"]
    assert said.status == 3
    assert (row["status"], row["rejected_bytes"]) == ("partial", len(SHIELD))
    assert "plug-in 'acme' of acme 2.0 (loganalyzer.parsers) failed: ZeroDivisionError" in row["notes"][0]


def test_a_faulty_rule_of_a_pack_costs_only_itself(call: Any, bundle: Path, install: Callable[..., None]) -> None:
    good = (EXAMPLE / "contoso_backup" / "rules" / "shield.yml").read_text(encoding="utf-8")
    stray = good.replace(CAUSE, "no-such-cause").replace("3c8b6f0e", "4c8b6f0e").replace("_holds_back", "_stray")
    shield = (EXAMPLE / "contoso_backup" / "shield_log.py").read_text(encoding="utf-8")
    code = f"{shield}\nrules = lambda: {{'good.yml': {good!r}, 'stray.yml': {stray!r}}}\n"
    points = {"loganalyzer.parsers": {"a": "acme_plugin:parser"}, "loganalyzer.rules": {"acme": "acme_plugin:rules"}}
    install(points, {"acme_plugin.py": code})
    report = call("scan", bundle, "-f", "json").json
    assert report["diagnoses"][0]["cause"] == CAUSE
    assert [one for one in report["rules"]["unable"] if one["rule"].startswith("acme/stray.yml")]
    assert "faults of rules: 1, the first: the catalogue has no cause 'no-such-cause'" in report["plugins"][1]["fault"]


def test_what_a_redactor_gives_before_it_fails_still_counts(
    call: Any, bundle: Path, install: Callable[..., None]
) -> None:
    shield = (EXAMPLE / "contoso_backup" / "shield_log.py").read_text(encoding="utf-8")
    find = (
        "def find(text):\n    at = text.find('held')\n    if at >= 0:\n        yield at, at + 4, 'key'\n        1 / 0\n"
    )
    code = f"{shield}\n{find}"
    points = {"loganalyzer.parsers": {"a": "acme_plugin:parser"}, "loganalyzer.redactors": {"b": "acme_plugin:find"}}
    install(points, {"acme_plugin.py": code})
    said = call("timeline", bundle)
    assert "held" not in said.out
    assert "<key:" in said.out
    assert "warning: plug-in 'b' of acme 2.0 (loganalyzer.redactors): ZeroDivisionError" in said.err


def test_a_redactor_that_hides_everything_again_and_again_comes_to_an_end(
    install: Callable[..., None],
) -> None:
    from loganalyzer.redact import Redactor

    code = "def find(text):\n    yield 0, len(text), 'key'\n"
    install({"loganalyzer.redactors": {"b": "acme_plugin:find"}}, {"acme_plugin.py": code})
    redactor = Redactor()
    assert redactor.text("anything") == "<key:1>"
    assert redactor.text("<key:1>") == "<key:1>"


def test_the_secret_of_a_plug_in_and_one_that_is_known_are_hidden_where_they_overlap(
    install: Callable[..., None],
) -> None:
    from loganalyzer.redact import Redactor

    code = "def find(text):\n    at = text.find('user')\n    return [(at, at + 20, 'key')] if at >= 0 else []\n"
    install({"loganalyzer.redactors": {"b": "acme_plugin:find"}}, {"acme_plugin.py": code})
    redacted = Redactor().text("of user=anna password=hunter2secret! here")
    assert "anna" not in redacted
    assert "hunter2" not in redacted
    assert redacted.startswith("of <key:")
    assert redacted.endswith(" here")


def test_in_a_library_a_fault_is_a_warning_and_stands_in_the_report(bundle: Path, install: Callable[..., None]) -> None:
    install({"loganalyzer.parsers": {"acme": "acme_plugin:parser"}}, {"acme_plugin.py": "1 / 0"})
    with pytest.warns(PluginWarning, match="ZeroDivisionError"):
        report = scan_report(bundle)
    assert [one.fault for one in report.plugins] == ["ZeroDivisionError: division by zero"]
    with plugins.without_plugins():
        assert scan_report(bundle).plugins == ()


def test_a_fault_of_one_scan_is_not_told_of_the_next(
    bundle: Path, tmp_path: Path, install: Callable[..., None]
) -> None:
    code = changed(parse="lambda self, source, context: 1 / 0")
    install({"loganalyzer.parsers": {"acme": "acme_plugin:parser"}}, {"acme_plugin.py": code})
    with pytest.warns(PluginWarning):
        assert scan_report(bundle).plugins[0].fault is not None
    other = tmp_path / "waagent.conf"
    other.write_text("Extensions.Enabled=n\n", encoding="utf-8")
    assert scan_report(other).plugins[0].fault is None


def test_a_plug_in_cannot_drive_the_terminal_or_leak_a_secret_through_its_fault(
    call: Any, bundle: Path, install: Callable[..., None]
) -> None:
    code = "raise ValueError('\\x1b[2J password=hunter2hunter2')"
    install({"loganalyzer.parsers": {"acme": "acme_plugin:parser"}}, {"acme_plugin.py": code})
    for words in (["scan", bundle, "-f", "json"], ["scan", bundle], ["plugins", "list"]):
        said = call(*words)
        assert "\x1b" not in said.out + said.err
        assert "hunter2" not in said.out + said.err
        assert "<password:1>" in said.out + said.err


# installed for real


@pytest.mark.slow
def test_the_example_works_when_an_installer_installed_it(tmp_path: Path, bundle: Path) -> None:
    source, site = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(source)]
    subprocess.run(pip, check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "loganalyzer", "scan", str(bundle), "-f", "oneline"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "cause-found: Antivirus restricts the backup extension\n"
    listed = subprocess.run(
        [sys.executable, "-m", "loganalyzer", "plugins", "list", "-f", "json"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=True,
    )
    rows = json.loads(listed.stdout)
    assert {(row["distribution"], row["version"], row["state"]) for row in rows} == {
        ("contoso-backup-plugins", "1.4.0", "in use")
    }
    assert all(row["origin"].startswith(str(site)) for row in rows)
    assert len(rows) == 4
