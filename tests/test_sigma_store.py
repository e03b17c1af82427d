"""The precompiled rules: equal to their files, used by a scan without pySigma, and replaced by the files when stale."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from loganalyzer import precompiled, signatures_in_use
from loganalyzer.catalogue import Catalogue, load_catalogue
from loganalyzer.catalogue import load as catalogue_files
from loganalyzer.cli import run
from loganalyzer.facts import tables
from loganalyzer.precompiled import restored, where
from loganalyzer.sigma.ir import FORM_VERSION
from loganalyzer.sigma.load import load_rules
from loganalyzer.sigma.rule import Loaded
from loganalyzer.sigma.store import digest, dump, restore, without_examples
from loganalyzer.signatures_in_use import (
    builtin_rule_texts,
    builtin_rules,
    builtin_rules_with_examples,
    compiled_rules,
    precompiled_tables,
)

REWRITE = "the stored rules differ from the rule files: run 'loganalyzer signatures compile' and commit the result"
ROOT = Path(__file__).parents[1]

RULES = """
title: Über-Regel „eins“
id: 6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0001
name: one
logsource: {product: linux, service: waagent}
detection:
    text:
        message|contains: ['a"b\\c', "line\\nend \\u2028"]
        size|gte: 123456789012345678901234567890
        share|lt: 0.1
    flags: {flag: true, other: null}
    condition: text and not flags
loganalyzer:
    role: fact
    examples: [{name: it is, match: true, event: {message: x}}]
---
title: Several
id: 6fbb2e0c-59d5-4f0f-8c2c-7d1c1f3a0002
correlation:
    type: event_count
    rules: [one]
    group-by: [host.name]
    timespan: 10m
    condition: {gte: 3}
"""


def stored(changes: Callable[[dict[str, object]], object], text: str) -> str:
    form = json.loads(text)
    changes(form)
    return json.dumps(form)


def test_the_stored_rules_are_what_the_rule_files_say() -> None:
    compiled = without_examples(builtin_rules_with_examples())
    assert compiled_rules().is_file(), REWRITE
    text = compiled_rules().read_text(encoding="utf-8")
    form = json.loads(text)
    assert form["form"] == FORM_VERSION, REWRITE
    for key, expected in (("rules", compiled.rules), ("correlations", compiled.correlations)):
        wanted = {one.id: one.to_json() for one in expected}
        found = {one["id"]: one for one in form[key]}
        assert found.keys() == wanted.keys(), REWRITE
        for id, rule in wanted.items():
            assert found[id] == json.loads(json.dumps(rule)), f"{rule['name']}: {REWRITE}"
    assert text == dump(compiled, digest(builtin_rule_texts())), REWRITE
    assert builtin_rules() == compiled


def test_the_precompiled_tables_are_what_their_files_say() -> None:
    fresh = precompiled_tables()
    assert sorted(fresh) == ["catalogue", "derived", "known_files", "parsers"]
    for name, text in fresh.items():
        assert where(name).read_text(encoding="utf-8") == text, REWRITE
    assert restored("catalogue", catalogue_files.own_files(), Catalogue) == load_catalogue(catalogue_files.own_folder())
    assert restored("derived", tables.own_files(), tables.Tables) == tables.read_tables()


def test_a_table_of_other_files_a_broken_one_and_a_missing_one_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precompiled, "where", lambda name: tmp_path / name)
    files = tables.own_files()
    assert restored("derived", files, tables.Tables) is None
    whole = precompiled.stored(tables.read_tables(), files)
    (tmp_path / "derived").write_bytes(whole)
    assert restored("derived", files, tables.Tables) == tables.read_tables()
    assert restored("derived", files[1:], tables.Tables) is None
    (tmp_path / "derived").write_bytes(whole[:-40])
    assert restored("derived", files, tables.Tables) is None


def test_a_stored_rule_is_a_line_and_the_lines_are_in_the_order_of_the_files() -> None:
    lines = compiled_rules().read_text(encoding="utf-8").splitlines()
    stored = [json.loads(line.removesuffix(",")) for line in lines if line.startswith('{"id"')]
    rules = [rule for rule in stored if "logsource" in rule]
    loaded = builtin_rules_with_examples()
    assert [rule["id"] for rule in stored] == [one.id for one in (*loaded.rules, *loaded.correlations)]
    paths = [rule["location"][0] for rule in rules]
    assert paths == sorted(paths)
    assert not any(rule["attribution"]["examples"] for rule in rules)


def test_rules_and_correlations_come_back_as_they_were_without_examples() -> None:
    loaded = load_rules({"some.yml": RULES})
    assert loaded.faults == ()
    assert [one.type for one in loaded.correlations] == ["event_count"]
    assert restore(dump(loaded, "0"), "0") == without_examples(loaded) != loaded


def test_nothing_is_stored_while_a_rule_is_broken() -> None:
    loaded = load_rules({"some.yml": RULES, "bad.yml": "title: Bad"})
    with pytest.raises(ValueError, match="faults in the rules"):
        dump(loaded, "0")


@pytest.mark.parametrize(
    "change",
    [
        lambda form: form.update(form=FORM_VERSION + 1),
        lambda form: form.update(source="sha256:1"),
        lambda form: form.pop("rules"),
        lambda form: form.pop("correlations"),
        lambda form: form["rules"][0].pop("logsource"),
        lambda form: form["rules"][0].update(condition=["leaf", "f", "guess", [], False]),
        lambda form: form["correlations"][0].update(thresholds=[7]),
    ],
)
def test_another_form_is_refused(change: Callable[[dict[str, object]], object]) -> None:
    text = dump(load_rules({"some.yml": RULES}), "0")
    with pytest.raises(ValueError, match=r"stored|form|condition"):
        restore(stored(change, text), "0")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"form": 1}'])
def test_what_is_no_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        restore(text, "0")


def test_the_digest_tells_every_text_and_path() -> None:
    assert digest({"a": "b"}) == digest({"a": "b"})
    assert len({digest(one) for one in ({}, {"a": "b"}, {"a": "c"}, {"c": "b"}, {"a": "b", "c": ""}, {"ab": ""})}) == 6
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})


@pytest.mark.parametrize("content", [None, "no JSON", "stale", "\x00"])
def test_rule_files_are_compiled_where_the_stored_rules_cannot_be_used(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "compiled.json"
    if content == "stale":
        content = dump(Loaded((), ()), "0")
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(signatures_in_use, "compiled_rules", lambda: path)
    monkeypatch.setattr(signatures_in_use, "builtin_rule_texts", lambda: {"some.yml": RULES})
    loaded = builtin_rules.__wrapped__()
    assert loaded == without_examples(load_rules({"some.yml": RULES}))
    path.write_text(dump(loaded, digest({"some.yml": RULES})))
    monkeypatch.setattr(signatures_in_use, "_load_rules", None)  # now it would fail if it were called
    assert builtin_rules.__wrapped__() == loaded


def test_a_changed_rule_file_counts_before_it_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    path, text = next(iter(builtin_rule_texts().items()))
    document = next(iter(yaml.safe_load_all(text)))
    changed = text.replace(document["title"], "Another title", 1)
    monkeypatch.setattr(signatures_in_use, "builtin_rule_texts", lambda: {path: changed})
    assert builtin_rules.__wrapped__().rules[0].title == "Another title"


def test_a_scan_with_built_in_rules_does_not_load_pysigma() -> None:
    bundle = ROOT / "sample_logs" / "bundles" / "linux-wireserver-blocked"
    code = (
        "import sys; from loganalyzer.cli import run; status = run(['scan', sys.argv[1], '-f', 'json']); "
        "print(status, [name for name in sys.modules if name.partition('.')[0] == 'sigma'], file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(bundle)], cwd=ROOT, capture_output=True, text=True)
    assert ran.stderr.splitlines()[-1] == "1 []"
    assert json.loads(ran.stdout)["diagnoses"][0]["cause"] == "wireserver-blocked"


def test_compile_writes_the_stored_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "written.json"
    assert run(["signatures", "compile", "-o", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    assert path.read_text(encoding="utf-8") == compiled_rules().read_text(encoding="utf-8"), REWRITE
    assert [one.name for one in tmp_path.iterdir()] == ["written.json"]
    assert run(["signatures", "compile", "-o", "-"]) == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")


def test_compile_says_where_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["signatures", "compile", "-o", str(tmp_path / "no" / "folder.json")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_compile_stores_nothing_while_a_rule_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = load_rules({"bad.yml": "title: Bad"})
    monkeypatch.setattr("loganalyzer.cli.signatures.builtin_rules_with_examples", lambda: broken)
    path = tmp_path / "written.json"
    assert run(["signatures", "compile", "-o", str(path)]) == 2
    assert "bad.yml:1" in capsys.readouterr().err
    assert not path.exists()
