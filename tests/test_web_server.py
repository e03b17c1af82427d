"""The server through its API: uploads in parts, scans, who may read what, and what hostile requests are told."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from loganalyzer.web.problems import ProblemError
from loganalyzer.web.rows import Scan, User
from loganalyzer.web.server import open_server
from loganalyzer.web.settings import ServerSettings
from loganalyzer.web.store import Store, now
from loganalyzer.web.uploads import Named, safe_path
from sample_logs import linux_bundles
from tests.served import Served, ended, put_part, serving, upload

BUNDLES: Final = Path(linux_bundles.__file__).parent / "bundles"
FAILED: Final = BUNDLES / "linux-other-extension-failed.zip"
LOG: Final = b"2025-06-10T01:00:00.100000Z INFO Daemon Daemon Azure Linux Agent Version: 2.9.1.1\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("server") / "data", "--upload-limit", "50") as found:
        yield found


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx.Client]:
    found = server.signed_in()
    yield found
    found.close()


def scan_of(client: httpx.Client, files: dict[str, bytes]) -> dict[str, Any]:
    """What becomes of files that are uploaded and scanned."""
    started = client.post(f"/api/v1/uploads/{upload(client, files, 4000)}/scan")
    assert started.status_code == 202, started.text
    return ended(client, started.json()["id"])


def kind_of(answer: httpx.Response) -> str:
    """The kind of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return str(problem["type"]).removeprefix("urn:loganalyzer:problem:")


def begun(client: httpx.Client, size: int = 10) -> str:
    made = client.post("/api/v1/uploads", json={"files": [{"path": "waagent.log", "size": size}]})
    return str(made.json()["id"])


class TestAScan:
    def test_what_came_in_parts_is_scanned_as_the_file_that_it_was(self, client: httpx.Client) -> None:
        scan = scan_of(client, {FAILED.name: FAILED.read_bytes()})
        assert (scan["state"], scan["cause"], scan["name"]) == ("done", "other-extension-failed", FAILED.name)
        report = client.get(f"/api/v1/scans/{scan['id']}/report").json()
        assert (report["verdict"], report["bundle"]["path"]) == (scan["verdict"], FAILED.name)

    def test_the_files_of_a_folder_keep_their_places(self, client: httpx.Client) -> None:
        scan = scan_of(client, {"vm1/var/log/waagent.log": LOG, "vm1/etc/waagent.conf": b"AutoUpdate.Enabled=y\n"})
        report = client.get(f"/api/v1/scans/{scan['id']}/report").json()
        assert {one["source"] for one in report["coverage"]} == {"var/log/waagent.log", "etc/waagent.conf"}

    @pytest.mark.parametrize("name", ["json", "html", "markdown", "text", "sarif", "junit", "csv", "ndjson", "elastic"])
    def test_the_report_comes_in_every_format(self, client: httpx.Client, name: str) -> None:
        scan = scan_of(client, {"waagent.log": LOG}) if "scan" not in self.kept else self.kept["scan"]
        self.kept["scan"] = scan
        answer = client.get(f"/api/v1/scans/{scan['id']}/report", params={"format": name})
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment; ")

    kept: Final[dict[str, Any]] = {}

    def test_events_lead_to_its_end(self, client: httpx.Client) -> None:
        started = client.post(f"/api/v1/uploads/{upload(client, {'waagent.log': LOG})}/scan").json()
        with client.stream("GET", f"/api/v1/scans/{started['id']}/events") as stream:
            states = re.findall(r'"state":"(\w+)"', stream.read().decode())
        assert states[-1] == "done"
        assert set(states[:-1]) <= {"queued", "running"}

    def test_a_key_that_is_sent_twice_gives_one_scan(self, client: httpx.Client) -> None:
        made = upload(client, {"waagent.log": LOG})
        answers = [
            client.post(f"/api/v1/uploads/{made}/scan", headers={"Idempotency-Key": f"once {made}"}) for _ in range(2)
        ]
        assert [one.status_code for one in answers] == [202, 202]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        other = client.post(f"/api/v1/uploads/{begun(client)}/scan", headers={"Idempotency-Key": f"once {made}"})
        assert (other.status_code, kind_of(other)) == (422, "bad-request")

    def test_an_upload_that_is_begun_twice_with_a_key_is_one(self, client: httpx.Client) -> None:
        files, key = {"files": [{"path": "once.log", "size": 3}]}, {"Idempotency-Key": "begun twice"}
        first, second = (client.post("/api/v1/uploads", json=files, headers=key).json() for _ in range(2))
        assert first == second
        other = client.post("/api/v1/uploads", json={"files": [{"path": "other.log", "size": 3}]}, headers=key)
        assert other.status_code == 422

    @pytest.mark.slow
    def test_the_finished_ones_are_counted(self, client: httpx.Client) -> None:
        scan_of(client, {FAILED.name: FAILED.read_bytes()})
        told = client.get("/api/v1/fleet").json()
        assert told["scans"] == sum(told["verdicts"].values()) > 0
        assert [one["title"] for one in told["causes"] if one["cause"] == "other-extension-failed"] == [
            "Another VM extension is in a failed state"
        ]

    def test_it_is_found_by_machine_cause_code_and_date(self, client: httpx.Client) -> None:
        scan = scan_of(client, {FAILED.name: FAILED.read_bytes()})
        for asked in ({"cause": "OTHER-ext"}, {"machine": "linux-other"}, {"since": "2020-01-01"}, {"state": "done"}):
            found = client.get("/api/v1/scans", params=asked).json()["scans"]
            assert scan["id"] in [one["id"] for one in found]
        for asked in ({"cause": "no such"}, {"until": "2020-01-01"}, {"code": "UserErrorNone"}):
            assert client.get("/api/v1/scans", params=asked).json()["scans"] == []

    def test_a_deleted_one_is_gone_with_its_files(self, client: httpx.Client) -> None:
        scan = scan_of(client, {"waagent.log": LOG})
        assert client.delete(f"/api/v1/scans/{scan['id']}").status_code == 204
        assert client.get(f"/api/v1/scans/{scan['id']}").status_code == 404
        assert client.delete(f"/api/v1/scans/{scan['id']}").status_code == 404

    @pytest.mark.slow
    def test_an_archive_that_explodes_has_an_answer(self, client: httpx.Client) -> None:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.writestr("var/log/waagent.log", b"\0" * (64 << 20))
        scan = scan_of(client, {"bomb.zip": held.getvalue()})
        report = client.get(f"/api/v1/scans/{scan['id']}/report").json()
        assert (scan["state"], report["verdict"]) == ("done", "cannot-tell")

    def test_a_name_with_markup_is_text_on_every_page(self, client: httpx.Client) -> None:
        scan = scan_of(client, {"<img src=x onerror=alert(1)>.log": LOG})
        for path in ("/", "/scans", f"/scans/{scan['id']}", f"/scans/{scan['id']}/report"):
            text = client.get(path).text
            assert "<img" not in text
            assert "&lt;img" in text


class TestAnUpload:
    def test_a_part_goes_where_the_file_ends_and_nowhere_else(self, client: httpx.Client) -> None:
        made = begun(client, 6)
        assert put_part(client, made, 0, 0, b"abc").headers["Upload-Offset"] == "3"
        wrong = client.patch(f"/api/v1/uploads/{made}/files/0", content=b"x", headers={"Upload-Offset": "1"})
        assert (wrong.status_code, kind_of(wrong), wrong.headers["Upload-Offset"]) == (409, "wrong-offset", "3")
        early = client.post(f"/api/v1/uploads/{made}/scan")
        assert (early.status_code, kind_of(early)) == (409, "conflict")
        long = client.patch(f"/api/v1/uploads/{made}/files/0", content=b"x" * 9, headers={"Upload-Offset": "3"})
        assert (long.status_code, kind_of(long)) == (413, "too-large")
        assert client.get(f"/api/v1/uploads/{made}").json()["files"][0]["received"] == 3

    def test_after_its_scan_was_started_it_takes_no_more(self, client: httpx.Client) -> None:
        made = upload(client, {"waagent.log": LOG})
        client.post(f"/api/v1/uploads/{made}/scan")
        size = str(len(LOG))
        part = client.patch(f"/api/v1/uploads/{made}/files/0", content=b"", headers={"Upload-Offset": size})
        again = client.post(f"/api/v1/uploads/{made}/scan")
        assert [kind_of(one) for one in (part, again)] == ["conflict", "conflict"]

    @pytest.mark.parametrize(
        "path",
        [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "a//b",
            "C:\\x",
            "..\\x",
            ".",
            "a/./b",
            "a\0b",
            "a\nb",
            "x" * 300,
            "a/" * 60,
        ],
    )
    def test_no_name_leaves_its_folder(self, client: httpx.Client, path: str) -> None:
        answer = client.post("/api/v1/uploads", json={"files": [{"path": path, "size": 1}]})
        assert (answer.status_code, kind_of(answer)) == (422, "bad-path")

    @pytest.mark.parametrize("paths", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
    def test_no_name_is_there_twice(self, client: httpx.Client, paths: tuple[str, ...]) -> None:
        answer = client.post("/api/v1/uploads", json={"files": [{"path": path, "size": 1} for path in paths]})
        assert (answer.status_code, kind_of(answer)) == (422, "bad-path")

    @pytest.mark.parametrize(
        ("files", "status", "kind"),
        [
            ([{"path": "a", "size": 60 << 20}], 413, "too-large"),
            ([{"path": f"f{number}", "size": 1} for number in range(10_001)], 422, "too-many"),
            ([], 422, "bad-request"),
            ([{"path": "a", "size": -1}], 422, "bad-request"),
            ([{"path": "a", "size": 1, "more": 1}], 422, "bad-request"),
        ],
    )
    def test_what_cannot_be_is_refused_before_a_byte_came(
        self, client: httpx.Client, files: list[Any], status: int, kind: str
    ) -> None:
        answer = client.post("/api/v1/uploads", json={"files": files})
        assert (answer.status_code, kind_of(answer)) == (status, kind)

    def test_one_that_is_given_up_is_gone(self, client: httpx.Client) -> None:
        made = begun(client)
        assert client.delete(f"/api/v1/uploads/{made}").status_code == 204
        assert client.get(f"/api/v1/uploads/{made}").status_code == 404


class TestWhoMay:
    def test_nobody_without_a_key(self, server: Served) -> None:
        for path in ("/api/v1/scans", "/metrics", "/api/v1/tokens"):
            answer = httpx.get(server.address + path)
            assert (answer.status_code, kind_of(answer)) == (401, "not-signed-in")
        assert httpx.get(f"{server.address}/scans", headers={"Accept": "text/html"}).status_code == 303

    def test_a_sign_in_link_is_good_once(self, server: Served, client: httpx.Client) -> None:
        answer = httpx.post(f"{server.address}/sign-in", data={"code": server.link.partition("code=")[2]})
        assert (answer.status_code, kind_of(answer)) == (401, "not-signed-in")

    def test_a_token_may_what_its_scopes_say_until_it_is_taken_away(self, server: Served, client: httpx.Client) -> None:
        made = client.post("/api/v1/tokens", json={"name": "reader", "scopes": ["read"]}).json()
        with httpx.Client(base_url=server.address, headers={"Authorization": f"Bearer {made['token']}"}) as reader:
            assert reader.get("/api/v1/scans").status_code == 200
            refused = reader.post("/api/v1/uploads", json={"files": [{"path": "a", "size": 1}]})
            assert (refused.status_code, kind_of(refused)) == (403, "not-allowed")
            more = reader.post("/api/v1/tokens", json={"name": "more", "scopes": ["upload"]})
            assert (more.status_code, kind_of(more)) == (403, "not-allowed")
            assert client.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
            assert reader.get("/api/v1/scans").status_code == 401

    def test_another_user_sees_a_scan_only_when_it_is_shared(self, server: Served, client: httpx.Client) -> None:
        told = client.post("/settings/users", data={"name": "colleague"}).text
        code = re.search(r"code=(loganalyzer_[\w-]+)", told)
        assert code is not None
        scan = scan_of(client, {"waagent.log": LOG})["id"]
        with httpx.Client(base_url=server.address, headers={"Sec-Fetch-Site": "same-origin"}) as other:
            assert other.post("/sign-in", data={"code": code[1]}).status_code == 303
            assert other.get(f"/api/v1/scans/{scan}").status_code == 404
            assert other.get(f"/api/v1/scans/{scan}/report").status_code == 404
            assert client.put(f"/api/v1/scans/{scan}/shared").status_code == 204
            assert other.get(f"/api/v1/scans/{scan}").status_code == 200
            assert other.delete(f"/api/v1/scans/{scan}").status_code == 404
            assert other.post("/settings/users", data={"name": "third"}).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://elsewhere.example", "Sec-Fetch-Site": ""},
            {"Origin": "null", "Sec-Fetch-Site": ""},
            {"Sec-Fetch-Site": ""},
        ],
    )
    def test_no_other_page_changes_anything(self, client: httpx.Client, headers: dict[str, str]) -> None:
        request = client.build_request("POST", "/api/v1/uploads", json={"files": [{"path": "a", "size": 1}]})
        request.headers.update({name: value for name, value in headers.items() if value})
        for name in [name for name, value in headers.items() if not value]:
            del request.headers[name]
        answer = client.send(request)
        assert (answer.status_code, kind_of(answer)) == (403, "not-allowed")

    def test_a_key_that_is_none_does_not_let_the_cookie_in(self, client: httpx.Client) -> None:
        answer = client.get("/api/v1/scans", headers={"Authorization": "Basic x"})
        assert (answer.status_code, kind_of(answer)) == (401, "not-signed-in")

    @pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "localhost.", "", "[::1"])
    def test_a_server_is_reached_under_its_own_names(self, server: Served, host: str) -> None:
        answer = httpx.get(f"{server.address}/health", headers={"Host": host})
        assert answer.status_code in (400, 421)

    def test_pages_hold_nothing_of_others_and_are_held_by_nobody(self, client: httpx.Client) -> None:
        for path in ("/", "/scans", "/settings", "/sign-in", "/nothing"):
            policy = client.get(path).headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy
            assert "default-src 'none'" in policy


class TestHostileRequests:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/v1/scans/../../etc/passwd", 404),
            ("GET", "/api/v1/scans/%2e%2e%2fserver.sqlite/report", 404),
            ("GET", "/assets/..%2fapp.py", 404),
            ("GET", "/assets/app.py", 404),
            ("GET", "/scans/x/download/..%2f..%2fx", 404),
            ("GET", "/api/v1/scans?limit=9999999999999999999999", 422),
            ("GET", "/api/v1/scans?since=yesterday", 422),
            ("GET", "/api/v1/scans?since=0001-01-01T00:00:00%2B14:00", 422),
            ("GET", "/api/v1/scans?machine=%00%27%22%3B--", 200),
            ("PUT", "/api/v1/scans", 405),
            ("TRACE", "/", 405),
            ("PATCH", "/api/v1/uploads/x/files/0", 404),
            ("PATCH", "/api/v1/uploads/x/files/-1", 404),
            ("POST", "/api/v1/uploads", 415),
            ("GET", "/compare", 404),
        ],
    )
    def test_each_has_its_answer(self, client: httpx.Client, method: str, path: str, status: int) -> None:
        assert client.request(method, path).status_code == status

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"\xff\xfe", b'{"files":1}', b"[" * 100_000, b'{"files":[null]}']
    )
    def test_what_is_no_request_is_told(self, client: httpx.Client, body: bytes) -> None:
        answer = client.post("/api/v1/uploads", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, kind_of(answer)) == (422, "bad-request")

    def test_a_form_without_files_or_with_a_bad_name_is_told(self, client: httpx.Client) -> None:
        assert client.post("/upload", files={"other": b"x"}).status_code == 422
        assert client.post("/upload", files={"files": ("../../x", b"x")}).status_code == 422
        assert client.post("/upload", content=b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 400


def test_the_api_describes_itself(client: httpx.Client) -> None:
    told = client.get("/api/v1/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    assert "/api/v1/uploads/{upload}/files/{number}" in told["paths"]


def test_metrics_are_in_the_form_of_prometheus(client: httpx.Client) -> None:
    scan_of(client, {"waagent.log": LOG})
    told = client.get("/metrics").text
    assert re.search(r'^loganalyzer_scans\{state="done"\} [1-9]\d*$', told, re.MULTILINE)


@pytest.mark.slow
class TestSubmit:
    def submit(self, server: Served, token: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "loganalyzer", "submit", *words, "--server", server.address]
        env = os.environ | {"LOGANALYZER_TOKEN": token}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)

    def test_a_bundle_goes_up_and_its_report_comes_back(self, server: Served, client: httpx.Client) -> None:
        token = client.post("/api/v1/tokens", json={"name": "submit"}).json()["token"]
        done = self.submit(server, token, str(FAILED), "-f", "json")
        assert (done.returncode, json.loads(done.stdout)["diagnoses"][0]["cause"]) == (1, "other-extension-failed")

    def test_a_folder_goes_up_with_its_places(self, server: Served, client: httpx.Client, tmp_path: Path) -> None:
        (tmp_path / "vm1/var/log").mkdir(parents=True)
        (tmp_path / "vm1/var/log/waagent.log").write_bytes(LOG)
        token = client.post("/api/v1/tokens", json={"name": "submit"}).json()["token"]
        done = self.submit(server, token, str(tmp_path / "vm1"), "-o", str(tmp_path / "report.json"), "-f", "json")
        assert done.returncode == 0, done.stderr
        report = json.loads((tmp_path / "report.json").read_bytes())
        assert [one["source"] for one in report["coverage"]] == ["var/log/waagent.log"]
        assert report["bundle"]["path"] == "vm1"

    @pytest.mark.parametrize(("token", "says"), [("wrong", "sign in"), ("", "needs a token")])
    def test_without_a_good_token_it_says_so(self, server: Served, token: str, says: str) -> None:
        done = self.submit(server, token, str(FAILED))
        assert done.returncode == 2
        assert says in done.stderr


# ---- the folder and the life of a server ----


@pytest.mark.slow
def test_what_a_killed_server_was_doing_goes_on_at_the_next_start(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as first:
        client = first.signed_in()
        token = client.post("/api/v1/tokens", json={"name": "test"}).json()["token"]
        done = scan_of(client, {"waagent.log": LOG})
        open_one = begun(client, 10)
        put_part(client, open_one, 0, 0, b"12345")
        waiting = [client.post(f"/api/v1/uploads/{upload(client, {'waagent.log': LOG})}/scan").json() for _ in range(3)]
        first.kill()
    with serving(tmp_path / "data") as second:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=second.address, headers=headers) as client:
            assert client.get(f"/api/v1/scans/{done['id']}/report").status_code == 200
            assert client.get(f"/api/v1/uploads/{open_one}").json()["files"][0]["received"] == 5
            assert [ended(client, one["id"])["state"] for one in waiting] == ["done"] * 3


@pytest.mark.slow
def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    with serving(tmp_path / "data"):
        words = [sys.executable, "-m", "loganalyzer", "serve", "--data", str(tmp_path / "data"), "--port", "0"]
        second = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 2
    assert "another server uses the folder" in second.stderr


def test_a_server_that_others_can_reach_needs_tls(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "loganalyzer", "serve", "--data", str(tmp_path), "--host", "0.0.0.0"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 2
    assert "--behind-proxy" in told.stderr


def test_what_was_kept_long_enough_is_deleted_with_its_files(tmp_path: Path) -> None:
    server = open_server(ServerSettings(tmp_path / "data", keep=timedelta(days=30)))
    try:
        user, _ = server.access.sign_in(server.access.invite("someone", admin=True)) or (None, "")
        assert user is not None
        for name, age in (("old", 31), ("new", 29)):
            ago = now() - timedelta(days=age)
            scan = Scan(name, f"upload-{name}", user.id, name, ago, "done", 1, shared=False, stored=0, ended=ago)
            server.store.add("scans", scan)
            server.settings.report(name).write_text("{}")
            server.settings.upload(f"upload-{name}").mkdir()
        server.workers.retire()
        assert [scan.id for scan in server.store.all(Scan, "scans", "1")] == ["new"]
        assert not server.settings.report("old").exists()
        assert not server.settings.upload("upload-old").exists()
        assert server.settings.report("new").exists()
    finally:
        server.close()
        shutil.rmtree(tmp_path / "data")


def test_a_full_disk_is_told_and_the_part_may_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = open_server(ServerSettings(tmp_path / "data"))

    async def part() -> AsyncIterator[bytes]:
        yield LOG

    def half(file: int, data: bytes) -> int:
        os.write(file, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    try:
        user, _ = server.access.sign_in(server.access.invite("someone", admin=True)) or (None, "")
        assert user is not None
        made = server.uploads.create(user, [Named("waagent.log", len(LOG))])
        ((file, _),) = server.uploads.files(made.id)
        with monkeypatch.context() as full:
            full.setattr("loganalyzer.web.uploads._write", half)
            with pytest.raises(ProblemError) as told:
                asyncio.run(server.uploads.append(made, file, 0, part()))
        assert (told.value.status, told.value.kind) == (507, "no-room")
        assert [here for _, here in server.uploads.files(made.id)] == [0]
        assert asyncio.run(server.uploads.append(made, file, 0, part())) == len(LOG)
    finally:
        server.close()


def test_an_upload_that_would_fill_the_disk_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = open_server(ServerSettings(tmp_path / "data"))
    try:
        user, _ = server.access.sign_in(server.access.invite("someone", admin=True)) or (None, "")
        assert user is not None
        full = shutil.disk_usage(tmp_path)._replace(free=200 << 20)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
        with pytest.raises(ProblemError, match="disk of the server is full"):
            server.uploads.create(user, [Named("waagent.log", 10)])
        assert list((tmp_path / "data" / "uploads").iterdir()) == []
    finally:
        server.close()


def test_a_full_database_undoes_what_it_could_not_keep_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    store = Store(tmp_path / "server.db")

    def add(number: int) -> None:
        store.add("users", User(f"user-{number}", f"{number}" * 20_000, admin=False, created=now()))

    add(1)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError) as told:
        add(2)
    assert told.value.sqlite_errorname == "SQLITE_FULL"
    store._db.execute("PRAGMA max_page_count=100000")
    add(3)
    store.close()
    again = Store(tmp_path / "server.db")
    assert [user.id for user in again.all(User, "users", "1 ORDER BY id")] == ["user-1", "user-3"]
    again.close()


def test_half_a_letter_is_no_name() -> None:
    with pytest.raises(ProblemError, match="no name that a file"):
        safe_path("logs/\ud800")
