"""The page on many bundles: what it holds and cuts, where it leads, and that nothing of a dataset is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

import html5lib
import pytest

from loganalyzer.cli import run
from loganalyzer.fleet.overview.factors import Factor
from loganalyzer.fleet.overview.html_page import MOST_NAMES, headline, reports_named, to_html
from loganalyzer.fleet.overview.machines import read_fleet
from loganalyzer.fleet.overview.overview import CauseCount, Overview, overview, shown_weeks
from loganalyzer.fleet.overview.plots import difference_axis, segments, shade, week_bars
from loganalyzer.report.json_report import to_json
from tests.example_reports import EXAMPLE
from tests.synthetic_fleet import CAUSE, Machine, varied_fleet, write_dataset

EVIL: Final = (
    "</script><script>alert(1)</script><!--",
    "\"' onmouseover='alert(1)' x=\"",
    "{{7*7}} {% raw %}",
    "\x1b[31mred\u202eline\n",
)


def no_link(report: str) -> None:
    """Leads nowhere."""


def seen(folder: Path, machines: list[Machine]) -> Overview:
    return overview(read_fleet(write_dataset(folder, machines)), 0.05)


def tree_of(page: bytes) -> Element:
    """The page by a parser that takes no error; elements without namespace."""
    tree: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.decode("utf-8"))
    return tree


def text_in(element: Element) -> str:
    return re.sub(r"\s+", " ", "".join(element.itertext()))


def section(page: bytes, name: str) -> Element:
    return next(one for one in tree_of(page).iter("section") if one.attrib.get("id") == name)


class TestPage:
    def test_it_loads_nothing_and_has_no_attribute_that_runs_or_is_a_style(self, tmp_path: Path) -> None:
        page = to_html(seen(tmp_path / "ds", varied_fleet()), lambda report: "reports/a.json")
        for element in tree_of(page).iter():
            assert element.tag not in {"link", "img", "iframe", "object", "embed", "form", "base"}
            for name, value in element.attrib.items():
                assert name not in {"src", "srcset", "style", "action"}
                assert not name.startswith("on")
                assert name != "href" or value.startswith(("#", "reports/"))
        assert b"default-src &#39;none&#39;; script-src &#39;sha256-" in page

    def test_it_is_valid_html_whose_anchors_lead_somewhere(self, tmp_path: Path) -> None:
        elements = list(tree_of(to_html(seen(tmp_path / "ds", varied_fleet()), no_link)).iter())
        ids = [element.attrib["id"] for element in elements if "id" in element.attrib]
        assert len(ids) == len(set(ids))
        named = {element.attrib["aria-labelledby"] for element in elements if "aria-labelledby" in element.attrib}
        led = {element.attrib["href"][1:] for element in elements if element.attrib.get("href", "").startswith("#")}
        assert {"causes", "factors", "values", "errors", "collect", "unexplained", "about"} <= led
        assert named | led <= set(ids)
        levels = [int(element.tag[1]) for element in elements if re.fullmatch(r"h[1-6]", str(element.tag))]
        assert levels.count(1) == 1
        assert all(deeper - level <= 1 for level, deeper in pairwise(levels))
        drawn = [one for one in elements if str(one.tag).endswith("}svg") and one.attrib.get("role") == "img"]
        assert len(drawn) > 10
        assert all(one.attrib["aria-label"] for one in drawn)

    @pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
    def test_names_of_a_dataset_are_text_wherever_they_stand(self, tmp_path: Path, text: str) -> None:
        plain_page = tree_of(to_html(seen(tmp_path / "plain", varied_fleet()), no_link))
        page = tree_of(to_html(seen(tmp_path / "evil", varied_fleet(text)), no_link))
        assert {one.tag for one in page.iter()} == {one.tag for one in plain_page.iter()}
        assert len(list(page.iter("script"))) == len(list(plain_page.iter("script"))) == 1
        assert {name for one in page.iter() for name in one.attrib} == {
            name for one in plain_page.iter() for name in one.attrib
        }
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", "".join(page.itertext()))

    def test_the_headline_the_verdicts_and_the_strongest_factor_stand_first(self, tmp_path: Path) -> None:
        found = seen(tmp_path / "ds", varied_fleet())
        top = text_in(next(tree_of(to_html(found, no_link)).iter("header")))
        assert "26 of 60 machines have a known cause" in top
        assert "cause found: 26" in top
        assert "waagent HttpProxy.Host: vm is true of 20 of 20 machines" in top
        assert headline(replace(found, machines=0)) == "no machine could be scanned"

    def test_each_part_of_the_overview_stands_in_its_section(self, tmp_path: Path) -> None:
        page = to_html(seen(tmp_path / "ds", varied_fleet()), no_link)
        assert CAUSE in text_in(section(page, "causes"))
        assert "20 of 20 with it, 0 of 40 others" in text_in(section(page, "factors"))
        assert "By region vm" in text_in(section(page, "values"))
        rows = [[text_in(cell) for cell in row] for row in section(page, "errors").iter("tr")]
        assert rows[1] == ["UserErrorMadeUpvm", "20", "20", "–"]
        assert "lin.waagent_log" in text_in(section(page, "collect"))
        assert "copy the file" in text_in(section(page, "collect"))
        assert "12 machines, 24×" in text_in(section(page, "unexplained"))

    def test_of_a_large_group_the_first_machines_are_named_and_the_rest_is_counted(self, tmp_path: Path) -> None:
        found = seen(tmp_path / "ds", [Machine(f"vm{number:04}", CAUSE) for number in range(3000)])
        page = to_html(found, lambda report: report)
        causes = section(page, "causes")
        links = [one.attrib["href"] for one in causes.iter("a")]
        assert links == [f"reports/00/vm{number:04}.json" for number in range(MOST_NAMES)]
        assert f"and {3000 - MOST_NAMES:,} more" in text_in(causes)
        assert reports_named(found) == links
        assert len(page) < 100_000

    def test_an_empty_overview_is_a_page_too(self, tmp_path: Path) -> None:
        text = text_in(tree_of(to_html(seen(tmp_path / "ds", [Machine("vm1")]), no_link)))
        assert "0 of 1 machine have a known cause" in text
        assert "beyond chance" in text


class TestPlots:
    def test_weeks_are_consecutive_and_a_clock_that_is_years_off_does_not_stretch_them(self) -> None:
        def cause(*weeks: tuple[date, int]) -> CauseCount:
            return CauseCount(CAUSE, CAUSE, 1, weeks, (), ())

        first = date(2026, 1, 5)
        later = first + timedelta(weeks=3)
        weeks = [first + timedelta(weeks=number) for number in range(4)]
        assert shown_weeks([cause((first, 2)), cause((later, 1))], 53) == weeks
        assert shown_weeks([cause((date(1999, 1, 4), 1), (first, 2), (later, 1), (date(2099, 1, 5), 1))], 53) == weeks
        assert shown_weeks([cause((first, 1), (later, 1))], 2) == [later]
        assert shown_weeks([cause()], 53) == []

    def test_a_bar_stands_in_its_week_and_the_highest_fills_the_plot(self) -> None:
        first = date(2026, 1, 5)
        weeks = [first + timedelta(weeks=number) for number in range(4)]
        bars = week_bars(CauseCount(CAUSE, CAUSE, 5, ((weeks[1], 1), (weeks[3], 4)), (), ()), weeks)
        assert [(one.x, one.height) for one in bars] == [(27.5, 25.0), (77.5, 100.0)]

    def test_parts_of_a_bar_follow_each_other_and_nothing_is_not_drawn(self) -> None:
        assert [
            (one.name, one.x, one.width) for one in segments([("a", 1, "c1"), ("b", 0, "c2"), ("c", 2, "c3")], 4)
        ] == [
            ("a", 0, 25),
            ("c", 25, 50),
        ]

    def test_the_axis_of_differences_begins_at_nothing_or_below_the_lowest_interval(self) -> None:
        def factor(low: float) -> Factor:
            return Factor(CAUSE, ("x",), 1, 2, 1, 2, 0.5, low, 0.9, None, -1.0, 0.01)

        assert difference_axis([]).ticks() == [0, 0.25, 0.5, 0.75, 1]
        axis = difference_axis([factor(0.2), factor(-0.13)])
        assert axis.ticks() == [-0.2, 0, 0.25, 0.5, 0.75, 1]
        assert (axis.x(-0.2), axis.x(0.4), axis.x(1.0)) == (0, 50, 100)

    def test_the_highest_count_of_the_matrix_has_the_darkest_shade(self, tmp_path: Path) -> None:
        errors = seen(tmp_path / "ds", varied_fleet()).errors
        assert [shade(count, errors) for count in (0, 1, 20)] == [0, 1, 5]


class TestCommand:
    def test_a_page_is_written_beside_the_text_and_links_to_the_json_reports(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        dataset = write_dataset(tmp_path / "data set", [Machine("vm1", CAUSE), Machine("vm2", CAUSE)])
        (dataset / "reports/00").mkdir(parents=True)
        (dataset / "reports/00/vm1.json").write_bytes(to_json(EXAMPLE))
        (tmp_path / "out").mkdir()
        assert run(["fleet", str(dataset), "-o", str(tmp_path / "out/fleet.html")]) == 0
        assert capsys.readouterr().out.startswith("2 machines")
        page = (tmp_path / "out/fleet.html").read_bytes()
        links = {text_in(one): one.attrib["href"] for one in section(page, "causes").iter("a")}
        assert links == {"vm1": "../data%20set/reports/00/vm1.json"}  # vm2 has no file to open

    def test_reports_that_the_page_names_become_pages_of_their_own(self, tmp_path: Path) -> None:
        dataset = write_dataset(tmp_path / "ds", [Machine("vm1", CAUSE), Machine("vm2", CAUSE)])
        (dataset / "reports/00").mkdir(parents=True)
        (dataset / "reports/00/vm1.json").write_bytes(to_json(EXAMPLE))
        page = tmp_path / "fleet.html"
        assert run(["fleet", str(dataset), "-o", str(page), "--reports", str(tmp_path / "pages")]) == 0
        links = [one.attrib["href"] for one in section(page.read_bytes(), "causes").iter("a")]
        assert links == ["pages/vm1.html"]
        assert EXAMPLE.diagnoses[0].title in (tmp_path / "pages/vm1.html").read_text(encoding="utf-8")

    def test_a_report_outside_the_dataset_is_never_opened(self, tmp_path: Path) -> None:
        (tmp_path / "secret.json").write_bytes(to_json(EXAMPLE))
        dataset = write_dataset(tmp_path / "ds", [Machine("../../../secret", CAUSE)])
        page = tmp_path / "fleet.html"
        for more in ([], ["--reports", str(tmp_path / "pages")]):
            assert run(["fleet", str(dataset), "-o", str(page), *more]) == 0
            assert list(section(page.read_bytes(), "causes").iter("a")) == []
        assert list((tmp_path / "pages").iterdir()) == []

    def test_one_output_goes_to_standard_output_in_its_format(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        dataset = write_dataset(tmp_path / "ds", [Machine("vm1", CAUSE)])
        assert run(["fleet", str(dataset), "-f", "html", "-o", str(tmp_path / "a.txt")]) == 0
        assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
        assert (tmp_path / "a.txt").read_text(encoding="utf-8").startswith("1 machines, 1 bundles\n")

    @pytest.mark.parametrize(
        "words", [["--reports", "pages"], ["-o", "fleet.doc"], ["-f", "sarif"], ["-o", "no/such/folder/f.html"]]
    )
    def test_what_cannot_be_written_is_told(
        self, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        dataset = write_dataset(tmp_path / "ds", [Machine("vm1", CAUSE)])
        assert run(["fleet", str(dataset), *words]) == 2
        assert "Traceback" not in capsys.readouterr().err
