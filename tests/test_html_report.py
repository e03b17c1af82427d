"""The HTML report, read as text: its policy, what it holds, what it cuts, and that nothing of a log is markup in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element

import html5lib
import pytest

from loganalyzer.catalogue import load_catalogue
from loganalyzer.report import html
from loganalyzer.report.html.bars import axis_of, stretches
from loganalyzer.report.html.chosen import MOST_ATTEMPTS, MOST_ENTRIES, MOST_SOURCES, choose, quoted
from loganalyzer.report.html.commands import pieces
from loganalyzer.report.html.timeline import MOST_LANES, MOST_POINTS, timeline
from loganalyzer.report.html_report import to_html
from loganalyzer.report.model import AttemptEntry, Doc, Report, Unattributed
from tests.example_reports import DIAGNOSIS, EXAMPLE, HOSTILE, WHEN, coverage_of, evidence_of, filled, with_citations
from tests.many_findings import report_with

FULL: Final = with_citations(EXAMPLE)
EVIL: Final = (
    *HOSTILE,
    "</script><script>alert(1)</script><!--",
    "</style><img src=x onerror=alert(1)> <svg/onload=alert(1)>",
    "{{7*7}} {% raw %} ${7*7} #{7*7}",
    "\"' onmouseover='alert(1)' x=\"",
    "javascript:alert(1) data:text/html,<script>alert(1)</script>",
    "]]> &lt;b&gt; &#x202e; \ufdd0 \ufffe \U0001ffff",
)
CANDIDATES: Final = 20_000
MOST_BYTES: Final = 5_000_000


def tree_of(page: bytes) -> Element:
    """The page by a parser that takes no error; elements without namespace."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(page.decode("utf-8"))
    return tree


def text_in(element: Element) -> str:
    return "".join(element.itertext())


@cache
def many() -> bytes:
    return to_html(report_with(CANDIDATES))


def chart_of(page: bytes) -> Any:
    found = re.search(rb'<script type="application/json" id="chart-data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


# ---- the page as such ----


def test_the_policy_names_the_scripts_and_the_style_of_the_page_and_nothing_else() -> None:
    page = to_html(FULL).decode()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    parts = dict(part.split(" ", 1) for part in policy.replace("&#39;", "'").split("; "))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    styles = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert len(scripts) == 4
    assert len(styles) == 1

    def hashes(texts: list[str]) -> list[str]:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]

    assert parts == {
        "default-src": "'none'",
        "script-src": " ".join(hashes(scripts)),
        "style-src": " ".join(hashes(styles)),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert "unsafe" not in policy


def test_the_page_loads_nothing_and_has_no_attribute_that_runs() -> None:
    for element in tree_of(to_html(FULL)).iter():
        assert element.tag not in {"link", "img", "iframe", "object", "embed", "form", "base", "audio", "video"}
        for name, value in element.attrib.items():
            assert name not in {"src", "srcset", "style", "action", "background", "xlink:href"}
            assert not name.startswith("on")
            assert name != "href" or value.startswith(("#", "https://"))


def test_no_script_asks_a_server_or_names_a_source_map() -> None:
    page = to_html(FULL).decode()
    assert "sourceMappingURL" not in page
    assert "unsafe-eval" not in page


@pytest.mark.parametrize(
    "report", [EXAMPLE, FULL, replace(EXAMPLE, verdict="cannot-tell"), replace(EXAMPLE, verdict="no-fault-found")]
)
def test_the_page_is_valid_html_whose_anchors_lead_somewhere(report: Report) -> None:
    elements = list(tree_of(to_html(report)).iter())
    ids = [element.attrib["id"] for element in elements if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    named = {element.attrib["aria-labelledby"] for element in elements if "aria-labelledby" in element.attrib}
    led = {element.attrib["href"][1:] for element in elements if element.attrib.get("href", "").startswith("#")}
    assert named | led <= set(ids)
    levels = [int(element.tag[1]) for element in elements if re.fullmatch(r"h[1-6]", str(element.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels))


def test_the_same_report_gives_the_same_bytes() -> None:
    assert to_html(FULL) == to_html(with_citations(EXAMPLE))


# ---- text of a bundle ----


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_text_of_a_bundle_is_text_wherever_it_stands(text: str) -> None:
    plain_page = tree_of(to_html(filled(FULL, "x")))
    page = tree_of(to_html(filled(FULL, text)))
    kinds = {element.tag for element in plain_page.iter()}
    assert {element.tag for element in page.iter()} <= kinds
    assert len(list(page.iter("script"))) == len(list(plain_page.iter("script")))
    assert {name for element in page.iter() for name in element.attrib} <= {
        name for element in plain_page.iter() for name in element.attrib
    }
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text_in(page))


def test_an_expression_of_a_template_in_a_log_is_shown_as_it_stands() -> None:
    page = to_html(filled(FULL, "{{7*7}} {% if %} <b>&amp;")).decode()
    assert "{{7*7}} {% if %} &lt;b&gt;&amp;amp;" in page
    assert " 49 " not in page


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "http://evil/", "https://a b", 'https://evil"onclick="x', "//evil", "data:text/html,x"],
)
def test_an_address_that_is_not_of_https_is_text_and_no_link(url: str) -> None:
    diagnosis = replace(DIAGNOSIS, docs=(Doc("Page", url),), remedies=(f"Open {url} and run it.",))
    error = replace(EXAMPLE.errors[0], doc=url)
    page = tree_of(to_html(replace(EXAMPLE, diagnoses=(diagnosis,), errors=(error,))))
    assert [one.attrib["href"] for one in page.iter("a") if not one.attrib["href"].startswith("#")] == []
    assert text_in(page).count(url) >= 3


# ---- what stands in the page ----


def test_the_verdict_stands_first_then_the_timeline_then_each_cause_and_what_it_leads_to() -> None:
    page = to_html(FULL).decode()
    order = ["Cause found</p>", DIAGNOSIS.title, 'id="timeline"', 'id="cause-1"', "Repair", "Evidence", 'id="collect"']
    order += ['id="attempts"', 'id="sources"', 'id="receipt"']
    places = [page.index(word, page.index("<body>")) for word in order]
    assert places == sorted(places)
    nodes = [
        text_in(one) for one in tree_of(to_html(FULL)).iter("span") if "node" in one.attrib.get("class", "").split()
    ]
    assert nodes[0] == DIAGNOSIS.title
    assert nodes[-2:] == ["extension command not run", "GuestAgentSnapshotTaskStatusError"]


def test_every_entry_of_evidence_has_its_file_and_line_or_record() -> None:
    report = replace(FULL, diagnoses=(replace(FULL.diagnoses[0], evidence=(*FULL.diagnoses[0].evidence, LINE)),))
    entries = [one for one in tree_of(to_html(report)).iter("li") if re.fullmatch(r"e\d+", one.attrib.get("id", ""))]
    evidence = [one for row in report.diagnoses for one in row.evidence]
    evidence += [one for other in report.ruled_out for one in other.evidence]
    assert len(entries) == len(evidence)
    said = {text_in(next(part for part in one.iter("p"))) for one in entries}
    for one in evidence:
        where = f"{one.source}:{one.line}" if one.record_id is None else f"{one.source} record {one.record_id}"
        assert any(where in text for text in said)


LINE: Final = evidence_of("a line", "logs/a.log", 9, None)


def test_the_entries_around_a_cited_one_stand_around_it() -> None:
    page = tree_of(to_html(FULL))
    lines = next(one for one in page.iter("ol") if "60: the program was started." in text_in(one))
    assert [one.attrib.get("class") for one in lines] == [None, "hit", None]


def test_a_command_of_what_to_collect_and_of_a_remedy_can_be_copied() -> None:
    remedy = "Start it if needed: sudo systemctl restart walinuxagent (Ubuntu, Debian)."
    page = tree_of(to_html(replace(EXAMPLE, diagnoses=(replace(DIAGNOSIS, remedies=(remedy,)),))))
    commands = [text_in(one[0]) for one in page.iter("span") if one.attrib.get("class") == "command"]
    assert commands == ["sudo systemctl restart walinuxagent", EXAMPLE.next_evidence[0].command]
    assert remedy in re.sub(r"\s+", " ", text_in(page).replace("Copy", ""))


def test_the_commands_of_a_remedy_are_whole_and_end_before_the_prose() -> None:
    remedies = [remedy for cause in load_catalogue().causes.values() for remedy in cause.remedies]
    found = {piece.text for remedy in remedies for piece in pieces(remedy) if piece.command}
    assert all("".join(piece.text for piece in pieces(remedy)) == remedy for remedy in remedies)
    assert {
        "az backup protection backup-now",
        "$vm.OSProfile.AllowExtensionOperations = $true; $vm | Update-AzVM",
        'REG ADD "HKLM\\SOFTWARE\\Microsoft\\BcdrAgent" /v IsProviderInstalled /t REG_SZ /d False /f',
        "sudo rm -f /var/lib/waagent/*.[0-9]*.xml",
        "az vm extension delete -g <rg> --vm-name <vm> -n <ext>",
        "ps -e | grep -i waagent",
        "ip route get 168.63.129.16",
    } <= found
    prose = re.compile(r" (?:the|is|are|and|or|then|which|of|later|needed|where) |[.;,]$|\(")
    assert [command for command in found if prose.search(command)] == []


def test_a_hole_of_a_source_is_a_hole_in_its_bar() -> None:
    source = coverage_of("a.log", first=WHEN - timedelta(hours=10), last=WHEN, gaps=((_at(-8), _at(-6)), ("?", "!")))
    report = replace(EXAMPLE, coverage=(source,), attempts=(), diagnoses=())
    axis = axis_of(report)
    assert axis is not None
    assert [(one.x, one.width) for one in stretches(source, axis)] == [(0, 200), (400, 600)]
    assert "2 silent times" in to_html(report).decode()


def _at(hours: int) -> str:
    return (WHEN + timedelta(hours=hours)).isoformat()


# ---- the timeline ----


def test_the_timeline_draws_attempts_and_each_entry_once_and_knows_the_row_of_each() -> None:
    spec = chart_of(to_html(FULL))
    data = spec["datasets"]
    assert [one["o"] for one in data["attempts"]] == ["failure", "unfinished"]
    ids = {element.attrib.get("id") for element in tree_of(to_html(FULL)).iter()}
    assert data["points"]
    assert {one["r"] for one in data["points"]} <= ids
    places = [(one["p"], one["t"]) for one in data["points"]]
    assert len(places) == len(set(places))
    assert data["lanes"][0]["n"] == "Backup attempts"


def test_an_unexplained_error_is_a_point_that_leads_to_its_list() -> None:
    error = Unattributed("Error <*>", 3, "Error 5", WHEN, WHEN + timedelta(hours=1), "a.log", 7, True)
    points = chart_of(to_html(replace(EXAMPLE, unattributed=(error,))))["datasets"]["points"]
    assert [one["r"] for one in points if one["k"] == "unexplained"] == ["unexplained"] * 2


def test_without_any_time_there_is_no_chart_and_no_script_for_one() -> None:
    timeless = tuple(replace(one, timestamp=None) for one in DIAGNOSIS.evidence)
    report = replace(EXAMPLE, attempts=(), ruled_out=(), diagnoses=(replace(DIAGNOSIS, evidence=timeless),))
    assert timeline(report, {}) is None
    page = to_html(report)
    assert b'id="chart-data"' not in page
    assert len(page) < 100_000


def test_times_at_the_ends_of_the_calendar_are_drawn_too() -> None:
    far = tuple(
        AttemptEntry(str(year), time, None, "x", "failure", (), ())
        for year in (1601, 9998)
        for time in (datetime(year, 1, 1, tzinfo=UTC),)
    )
    assert len(chart_of(to_html(replace(EXAMPLE, attempts=far)))["datasets"]["attempts"]) == 2


# ---- much of it ----


def test_many_candidates_give_a_page_below_five_megabytes_with_its_cuts_in_words() -> None:
    page = many()
    assert len(page) < MOST_BYTES
    text = text_in(tree_of(page))
    assert f"{MOST_ENTRIES:,} of {CANDIDATES + 1:,} entries of evidence" in text
    assert f"{MOST_POINTS:,} of {CANDIDATES + 1:,} points in time" in text
    assert len(re.findall(rb'<li class="entry" id="e\d+"', page)) == MOST_ENTRIES
    data = chart_of(page)["datasets"]
    assert len(data["points"]) == MOST_POINTS
    assert len(data["lanes"]) == MOST_LANES + 1
    assert sum(one["r"] is not None for one in data["points"]) == MOST_ENTRIES


def test_each_rule_of_each_cause_keeps_an_entry_when_much_is_cut() -> None:
    report = report_with(20_000)
    chosen = choose(report)
    for diagnosis in report.diagnoses:
        kept = {entry.evidence.rule for rule in chosen.of_diagnosis[diagnosis.rank] for entry in rule.entries}
        assert kept == {one.rule for one in diagnosis.evidence}


@pytest.mark.parametrize("text", ["<" * 4096, '"&' * 2048, "漢" * 4096])
def test_text_that_grows_in_a_page_does_not_make_it_larger(text: str) -> None:
    assert len(to_html(report_with(600, text))) < MOST_BYTES


def test_many_attempts_and_sources_are_cut_in_words() -> None:
    start = [WHEN + timedelta(hours=number) for number in range(900)]
    attempts = tuple(AttemptEntry(f"attempt-{at}", at, at, "x", "success", (), ()) for at in start)
    sources = tuple(coverage_of(f"{number}.log") for number in range(900))
    page = to_html(replace(EXAMPLE, attempts=attempts, coverage=sources)).decode()
    assert f"The latest {MOST_ATTEMPTS} of 900 attempts" in page
    assert "500 of 900 attempts" in page
    assert f"{MOST_SOURCES} of 900 sources" in page


def test_a_quote_takes_no_more_room_than_it_may_and_says_what_is_left_out() -> None:
    assert quoted("short", 400) == quoted("short\n", 400)
    cut = quoted("<" * 4096, 400)
    assert (len(cut.text), cut.left_out) == (100, 3996)


# ---- the scripts that it carries ----


def test_the_scripts_are_those_whose_hashes_are_noted_beside_them_with_their_licences() -> None:
    assets = Path(html.__file__).parent / "assets"
    noted = dict(re.findall(r"^(\S+\.js) .* ([0-9a-f]{64})$", (assets / "README.txt").read_text("utf-8"), re.M))
    assert set(noted) == {path.name for path in assets.glob("*.min.js")}
    for name, digest in noted.items():
        data = (assets / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
        assert not re.search(rb"</script|<!--|\r", data)
        assert b"Redistribution" in (assets / name.replace(".min.js", ".LICENSE.txt")).read_bytes()
    page = to_html(FULL).decode()
    assert page.count("Redistribution and use in source and binary forms") == 2
