"""The pages of the server in Chromium: upload by drop, by keyboard and without scripts, progress, report, deletion."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from sample_logs import linux_bundles
from tests.served import Served, serving

pytestmark = pytest.mark.slow

BUNDLES: Final = Path(linux_bundles.__file__).parent / "bundles"
BLOCKED: Final = BUNDLES / "linux-other-extension-failed.zip"
HEALTHY: Final = BUNDLES / "windows-healthy.zip"
SOON: Final = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    named = os.environ.get("LOGANALYZER_CHROMIUM", "")
    path = shutil.which(named if named not in ("", "required") else "chromium")
    if path is None and named:
        pytest.fail(f"Chromium is required (LOGANALYZER_CHROMIUM={named}) and not installed")
    if path is None:
        pytest.skip("Chromium is not installed; .ci/run installs Debian's")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "data") as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as found:
        yield found


@pytest.fixture
def page(context: BrowserContext, server: Served) -> Iterator[Page]:
    """The first page after signing in; nothing may go against its policy."""
    said: list[str] = []
    found = context.new_page()
    found.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    found.on("pageerror", lambda error: said.append(str(error)))
    found.goto(server.link)
    found.get_by_role("button", name="Sign in").click()
    expect(found.locator("#drop-hint")).to_be_visible()  # the script is there
    yield found
    assert said == []


def drop(page: Page, *paths: Path) -> None:
    """Drops files on the form, as a person would from a folder."""
    named = [(path.name, base64.b64encode(path.read_bytes()).decode()) for path in paths]
    data = page.evaluate_handle(
        """(named) => {
            const data = new DataTransfer();
            for (const [name, text] of named) {
                data.items.add(new File([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], name));
            }
            return data;
        }""",
        named,
    )
    page.dispatch_event("#upload", "drop", {"dataTransfer": data})


def test_a_dropped_bundle_is_uploaded_read_and_told(page: Page) -> None:
    drop(page, BLOCKED)
    expect(page.get_by_role("heading", level=1)).to_have_text("Another VM extension is in a failed state", timeout=SOON)
    report = page.frame_locator("iframe.report")
    expect(report.get_by_role("heading", level=1)).to_contain_text("Another VM extension", timeout=SOON)
    page.get_by_role("link", name="Open the report").click()
    expect(page.get_by_role("region", name="Receipt")).to_be_visible(timeout=SOON)


def test_it_goes_without_a_mouse(page: Page) -> None:
    page.locator("#files").set_input_files(str(HEALTHY))
    page.locator("#files").focus()
    while page.evaluate("document.activeElement.textContent.trim()") != "Upload and scan":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".tag").first).to_have_text("No fault found", timeout=SOON)


def test_several_files_are_one_bundle(page: Page, tmp_path: Path) -> None:
    (tmp_path / "waagent.log").write_text(
        "2025-06-10T01:00:00.100000Z INFO Daemon Daemon Azure Linux Agent Version: 2.9\n"
    )
    (tmp_path / "notes.txt").write_text("nothing\n")
    drop(page, tmp_path / "waagent.log", tmp_path / "notes.txt")
    expect(page.locator("h1 + .note")).to_contain_text("2 files", timeout=SOON)


def test_two_scans_are_compared_and_one_is_deleted(page: Page) -> None:
    for bundle in (BLOCKED, HEALTHY):
        drop(page, bundle)
        expect(page.get_by_role("heading", name="Download")).to_be_visible(timeout=SOON)
        page.goto("/".join(page.url.split("/")[:3]) + "/")
        expect(page.locator("#drop-hint")).to_be_visible()
    page.get_by_role("link", name="Scans").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    rows.nth(1).get_by_label("before").check()
    rows.nth(0).get_by_label("after").check()
    page.get_by_role("button", name="Compare the two chosen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What changed")
    expect(page.locator("tbody tr").first).to_contain_text("other-extension-failed")
    page.goto("/".join(page.url.split("/")[:3]) + "/scans")
    page.get_by_role("link", name=BLOCKED.name).click()
    page.get_by_role("button", name="Delete the scan").click()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_nobody_gets_in_without_the_link_or_with_a_used_one(page: Page, browser: Browser, server: Served) -> None:
    with browser.new_context() as other:
        stranger = other.new_page()
        stranger.goto(f"{server.address}/scans")
        expect(stranger.get_by_role("heading", level=1)).to_have_text("Sign in")
        stranger.goto(server.link)
        stranger.get_by_role("button", name="Sign in").click()
        expect(stranger.locator(".failure")).to_contain_text("used before")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{server.address}/scans")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_who_was_invited_gets_in_and_sees_no_scan_of_others(page: Page, browser: Browser) -> None:
    drop(page, HEALTHY)
    expect(page.get_by_role("heading", name="Download")).to_be_visible(timeout=SOON)
    own = page.url
    page.get_by_role("link", name="Settings").click()
    form = page.locator("form[action='/settings/users']")
    form.get_by_label("Name").fill("colleague")
    form.get_by_role("button").click()
    link = page.get_by_text("/sign-in?code=").inner_text()
    with browser.new_context() as other:
        colleague = other.new_page()
        colleague.goto(link[link.index("http") :].split()[0])
        colleague.get_by_role("button", name="Sign in").click()
        expect(colleague.locator("#drop-hint")).to_be_visible()
        colleague.get_by_role("link", name="Scans").click()
        expect(colleague.locator("tbody tr")).to_have_count(0)
        answer = colleague.goto(own)
        assert answer is not None
        assert answer.status == 404


def test_upload_and_result_need_no_scripts(browser: Browser, server: Served) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(server.link)
        page.get_by_role("button", name="Sign in").click()
        page.locator("#files").set_input_files(str(BLOCKED))
        page.get_by_role("button", name="Upload and scan").click()
        expect(page.locator("h1")).to_have_text("Another VM extension is in a failed state", timeout=SOON)


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_its_window(page: Page, width: int) -> None:
    address = "/".join(page.url.split("/")[:3])
    for bundle in (HEALTHY, BLOCKED):
        page.goto(f"{address}/")
        expect(page.locator("#drop-hint")).to_be_visible()
        drop(page, bundle)
        expect(page.get_by_role("heading", name="Download")).to_be_visible(timeout=SOON)
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", "/scans", "/settings", page.url.removeprefix(address)):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
