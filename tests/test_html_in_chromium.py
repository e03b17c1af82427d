"""The HTML report in Chromium without a network: what it asks for, what a click does, how it looks on paper and phone.

Chromium is Debian's, or the one that ``LOGANALYZER_CHROMIUM`` names; with ``LOGANALYZER_CHROMIUM=required`` a missing
one is a failure and not a skip.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, expect, sync_playwright

from loganalyzer.fleet.overview.html_page import to_html as fleet_to_html
from loganalyzer.fleet.overview.machines import read_fleet
from loganalyzer.fleet.overview.overview import overview
from loganalyzer.pipeline import scan
from loganalyzer.report.html_report import to_html
from loganalyzer.report.model import Report
from sample_logs import linux_bundles
from tests.example_reports import EXAMPLE, HOSTILE, filled, with_citations
from tests.many_findings import report_with
from tests.synthetic_fleet import earlier_fleet, varied_fleet, write_dataset

pytestmark = pytest.mark.slow

BUNDLES: Final = Path(linux_bundles.__file__).parent / "bundles"
FULL: Final = with_citations(EXAMPLE)
WIDE: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 360, "height": 740}
#: The contrast that WCAG 2.2 asks of text at level AA.
CONTRAST: Final = 4.5


@dataclass
class Opened:
    """A page, and whatever it said, asked for or did against its policy."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        """Closes a dialog, and keeps what it said."""
        self.said.append(dialog.message)
        dialog.dismiss()


def _chromium() -> str:
    named = os.environ.get("LOGANALYZER_CHROMIUM", "")
    found = shutil.which(named if named not in ("", "required") else "chromium")
    if found is None and named:
        pytest.fail(f"Chromium is required (LOGANALYZER_CHROMIUM={named}) and not installed")
    if found is None:
        pytest.skip("Chromium is not installed; .ci/run installs Debian's")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = _chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Callable[..., Any]:
    """Opens a report, or the bytes of a page, from disk with the network off."""

    @contextmanager
    def open_report(report: Report | bytes, **settings: Any) -> Iterator[Opened]:
        file = tmp_path / "case.html"
        file.write_bytes(report if isinstance(report, bytes) else to_html(report))
        context = browser.new_context(**{"viewport": WIDE, "offline": True, "color_scheme": "light", **settings})
        it = Opened(context.new_page())
        it.page.on("console", lambda message: it.said.append(message.text))
        it.page.on("pageerror", lambda error: it.said.append(str(error)))
        it.page.on("dialog", it.dismiss)
        it.page.on("request", lambda request: it.asked.append(request.url))
        it.page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.log(`policy: ${event.violatedDirective}`))"
        )
        it.page.goto(file.as_uri())
        if "java_script_enabled" not in settings and it.page.locator("#chart").count():
            it.page.wait_for_selector("#chart svg")
        yield it
        context.close()

    return open_report


def _points(page: Page) -> Locator:
    """The entries in the chart; the ring around the one that is told about lies below them."""
    return page.locator("#chart svg .mark-symbol").last.locator("path")


def _overflow(page: Page) -> int:
    width: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


@pytest.mark.parametrize("name", ["linux-python-missing", "windows-cannot-tell.zip", "windows-healthy.zip"])
def test_the_page_of_a_bundle_opens_offline_without_a_word_and_asks_for_nothing(opened: Any, name: str) -> None:
    with opened(scan([BUNDLES / name]).report) as it:
        assert it.page.locator("#chart svg").count() == 1
        assert it.page.locator("h1").inner_text()
        assert it.said == []
        assert [url for url in it.asked if not url.startswith("file:")] == []
        assert len(it.asked) == 1


@pytest.mark.parametrize("left_out", ["attempts", "coverage", "diagnoses", "unattributed"])
def test_a_chart_without_some_of_its_layers_is_drawn_without_a_word(opened: Any, left_out: str) -> None:
    nothing: dict[str, Any] = {left_out: ()}
    with opened(replace(FULL, **nothing)) as it:
        assert it.page.locator("#chart svg").count() == 1
        assert it.said == []


def test_the_policy_keeps_a_script_that_got_into_the_page_from_running(opened: Any) -> None:
    with opened(FULL) as it:
        it.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "document.title = 'taken'";
                document.body.append(script);
                document.body.insertAdjacentHTML("beforeend", "<img src='https://evil.example/x' onerror='alert(1)'>");
            }"""
        )
        it.page.wait_for_timeout(100)
        assert it.page.title() != "taken"
        broken = {said for said in it.said if said.startswith("policy: ")}
        assert broken == {"policy: script-src-elem", "policy: script-src-attr", "policy: img-src"}


def test_a_click_on_a_point_shows_its_line(opened: Any) -> None:
    with opened(scan([BUNDLES / "linux-python-missing"]).report) as it:
        points = _points(it.page)
        assert points.count() > 4
        points.last.click()
        found = it.page.locator(".entry.found")
        assert found.count() == 1
        expect(found).to_be_in_viewport()
        expect(found).to_be_focused()
        assert "shell.log" in found.inner_text()
        assert "shell.log" in it.page.locator("#readout").inner_text()
        assert it.said == []


def test_a_line_in_a_folded_part_is_unfolded(opened: Any) -> None:
    with opened(scan([BUNDLES / "windows-healthy.zip"]).report) as it:
        _points(it.page).first.click()
        assert it.page.locator(".entry.found").is_visible()
        assert it.page.locator("details[open]").count() == 1


def test_buttons_zoom_the_timeline_and_step_through_its_entries(opened: Any) -> None:
    with opened(scan([BUNDLES / "linux-python-missing"]).report) as it:

        def axis() -> str:
            return "".join(it.page.locator("#chart svg .role-axis-label text").all_text_contents())

        whole = axis()
        it.page.get_by_role("button", name="Next entry").click()
        first = it.page.locator("#readout").inner_text()
        it.page.get_by_role("button", name="Next entry").click()
        assert it.page.locator("#readout").inner_text() != first
        it.page.get_by_role("button", name="Previous entry").click()
        assert it.page.locator("#readout").inner_text() == first
        for _ in range(3):
            it.page.get_by_role("button", name="Zoom in").click()
        it.page.wait_for_timeout(100)
        assert axis() != whole
        it.page.get_by_role("button", name="All").click()
        it.page.wait_for_timeout(100)
        assert axis() == whole
        it.page.get_by_role("link", name="Show the line").click()
        assert it.page.locator(".entry.found").is_visible()
        assert it.said == []


def test_the_wheel_scrolls_the_page_and_zooms_only_with_a_key(opened: Any) -> None:
    with opened(scan([BUNDLES / "linux-python-missing"]).report) as it:
        labels = it.page.locator("#chart svg .role-axis-label text")
        whole = labels.all_text_contents()
        box = it.page.locator("#chart svg").bounding_box()
        assert box is not None
        it.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 60)
        it.page.mouse.wheel(0, 200)
        it.page.wait_for_timeout(200)
        assert labels.all_text_contents() == whole
        assert it.page.evaluate("scrollY") > 0
        it.page.evaluate("scrollTo(0, 0)")
        it.page.wait_for_timeout(600)
        it.page.keyboard.down("Shift")
        it.page.mouse.wheel(0, -600)
        it.page.keyboard.up("Shift")
        it.page.wait_for_timeout(200)
        assert labels.all_text_contents() != whole


@pytest.mark.parametrize(
    "text",
    [
        *HOSTILE[:4],
        "</script><script>alert(1)</script><img src=x onerror=alert(2)>",
        "{{7*7}} ${7*7}",
        "javascript:alert(1)",
        '"><svg onload=alert(1)>',
    ],
)
def test_hostile_text_of_a_log_stays_text(opened: Any, text: str) -> None:
    with opened(filled(FULL, text)) as it:
        for _ in range(2):
            it.page.get_by_role("button", name="Next entry").click()
        _points(it.page).last.hover()
        assert it.said == []
        assert len(it.asked) == 1
        assert it.page.locator("img, iframe, [onerror], [onload], a[href^='javascript']").count() == 0
        assert "49" not in it.page.locator("h1").inner_text()


def test_what_can_be_copied_is_copied(opened: Any) -> None:
    with opened(FULL, permissions=["clipboard-read", "clipboard-write"]) as it:
        button = it.page.locator("#collect .copy").first
        button.click()
        expect(button).to_have_text("Copied")
        assert it.page.evaluate("navigator.clipboard.readText()") == FULL.next_evidence[0].command


def test_without_scripts_the_page_says_so_and_reads_the_same(opened: Any) -> None:
    with opened(FULL, java_script_enabled=False) as it:
        assert "drawn by a script" in it.page.locator("#chart").inner_text()
        assert not it.page.locator(".copy").first.is_visible()
        assert FULL.diagnoses[0].evidence[0].source in it.page.locator("#cause-1").inner_text()


# ---- every way of reading it ----


@pytest.mark.parametrize(
    "report", [FULL, filled(FULL, "x" * 900), filled(FULL, "漢字/" * 200)], ids=["own", "long", "wide"]
)
def test_on_a_phone_nothing_needs_scrolling_sideways(opened: Any, report: Report) -> None:
    with opened(report, viewport=PHONE, has_touch=True, is_mobile=True) as it:
        assert _overflow(it.page) == 0
        box = it.page.locator("#chart svg").bounding_box()
        assert box is not None
        assert box["width"] <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["linux-sas-secrets", "windows-cannot-tell.zip"])
def test_all_text_has_the_contrast_that_people_need(opened: Any, scheme: str, name: str) -> None:
    with opened(scan([BUNDLES / name]).report, color_scheme=scheme) as it:
        it.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        faint = it.page.evaluate(_FAINT_TEXT, CONTRAST)
        assert faint == []
        dark = it.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"
        assert dark == (scheme == "dark")


#: Text whose colour is too near to that of the first opaque background below it.
_FAINT_TEXT: Final = """(least) => {
  const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const below = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) > 0.99) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const inChart = element.closest("svg");
    const style = getComputedStyle(element);
    const [one, other] = [light(inChart ? style.fill : style.color), light(below(element))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < least) faint.push(`${contrast.toFixed(2)} ${element.className} ${element.textContent.slice(0, 40)}`);
  }
  return faint;
}"""


def test_print_is_dark_on_white_in_dark_mode_too_and_leaves_out_what_only_a_screen_needs(opened: Any) -> None:
    with opened(FULL, color_scheme="dark") as it:
        it.page.emulate_media(media="print", color_scheme="dark")
        assert it.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert it.page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        for part in ("nav", "#tools", ".copy"):
            assert not it.page.locator(part).first.is_visible()
        assert it.page.locator("#chart svg").is_visible()
        assert it.page.pdf(format="A4").startswith(b"%PDF")


def test_what_is_folded_on_a_screen_is_on_paper(opened: Any) -> None:
    with opened(FULL) as it:
        folded = it.page.locator("#others details code")
        assert folded.count() > 0
        assert not any(one.evaluate("element => element.checkVisibility()") for one in folded.all())
        it.page.emulate_media(media="print")
        assert all(one.evaluate("element => element.checkVisibility()") for one in folded.all())


def test_a_screen_reader_finds_landmarks_headings_and_a_name_for_every_picture_and_button(opened: Any) -> None:
    with opened(FULL) as it:
        for role in ("banner", "navigation", "main"):
            assert it.page.get_by_role(role).count() == 1
        assert it.page.get_by_role("heading", level=1).count() == 1
        for role in ("img", "button", "link", "table", "region"):
            for one in it.page.get_by_role(role).all():
                name = one.get_attribute("aria-label") or one.get_attribute("aria-labelledby") or one.text_content()
                assert name
        assert "backup attempts" in (it.page.locator("#chart").get_attribute("aria-label") or "")
        it.page.keyboard.press("Tab")
        assert it.page.locator(":focus").inner_text() == "Skip to the causes"


def test_motion_is_left_out_where_it_is_not_wanted(opened: Any) -> None:
    with opened(FULL, reduced_motion="reduce") as it:
        assert it.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_a_page_of_two_hundred_thousand_candidates_opens_and_answers_a_click(opened: Any) -> None:
    report = report_with(200_000)
    assert len(to_html(report)) < 5_000_000
    with opened(replace(report, undecided=())) as it:
        assert _points(it.page).count() == 5_000
        it.page.get_by_role("button", name="Next entry").click()
        assert it.page.locator("#readout code").count() == 1
        assert _overflow(it.page) == 0
        assert it.said == []


# ---- the page on many bundles ----


@pytest.fixture
def fleet_page(tmp_path: Path) -> bytes:
    """The page of a fleet in which every part of it has something to say."""
    older = read_fleet(write_dataset(tmp_path / "older", earlier_fleet(varied_fleet())))
    found = overview(read_fleet(write_dataset(tmp_path / "dataset", varied_fleet())), 0.05, None, older)
    return fleet_to_html(found, lambda report: report)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_fleet_opens_without_a_word_and_can_be_read(opened: Any, fleet_page: bytes, scheme: str) -> None:
    with opened(fleet_page, color_scheme=scheme) as it:
        assert it.said == []
        assert len(it.asked) == 1
        it.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert it.page.evaluate(_FAINT_TEXT, CONTRAST) == []
        bar = it.page.locator("#causes .weeks rect").first
        assert bar.evaluate("element => getComputedStyle(element).fill") != "rgb(0, 0, 0)"
        assert (bar.bounding_box() or {"height": 0})["height"] > 2


def test_on_a_phone_the_page_of_a_fleet_needs_no_scrolling_sideways(opened: Any, fleet_page: bytes) -> None:
    with opened(fleet_page, viewport=PHONE) as it:
        it.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert _overflow(it.page) == 0
        assert it.page.get_by_role("table").count() > 3
        plot = it.page.locator("#causes .weeks").first.bounding_box()
        assert plot is not None
        assert plot["width"] > 200
