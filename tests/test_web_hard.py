"""The server under hard treatment: made-up requests, kills in the middle of uploads, many clients at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import psutil
import pytest

from tests.served import Served, ended, put_part, serving, start, upload

pytestmark = pytest.mark.slow

LOG = b"2025-06-10T01:00:00.100000Z INFO Daemon Daemon Azure Linux Agent Version: 2.9.1.1\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "data") as found:
        yield found


def token_of(client: httpx.Client) -> str:
    return str(client.post("/api/v1/tokens", json={"name": "test"}).json()["token"])


def test_no_request_that_fits_the_description_or_nearly_does_fails_the_server(server: Served) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is in the extra dev")
    client = server.signed_in()
    token = token_of(client)
    scan = client.post(f"/api/v1/uploads/{upload(client, {'waagent.log': LOG})}/scan").json()["id"]
    ended(client, scan)
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_dict(client.get("/api/v1/openapi.json").json())
    statuses: set[int] = set()

    settings = hypothesis.settings(
        max_examples=40, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    for result in schema.get_all_operations():

        def check(case: Any) -> None:
            answer = case.call(base_url=server.address, headers=headers)
            statuses.add(answer.status_code)
            assert answer.status_code < 500, (case, answer.text)

        settings(hypothesis.seed(1)(hypothesis.given(case=result.ok().as_strategy())(check)))()
    assert statuses & {200, 201, 204}
    assert statuses & {404, 422}
    assert client.get("/health").status_code == 200


def test_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Twenty uploads, and the server is killed at fifty moments while they come in and are scanned."""
    rng = random.Random(3)
    data = tmp_path / "data"
    served = start(data)
    token = token_of(served.signed_in())
    headers = {"Authorization": f"Bearer {token}"}
    content = {name: LOG * rng.randrange(2000, 9000) for name in range(20)}
    ids: dict[int, str] = {}
    acknowledged: dict[int, int] = dict.fromkeys(content, 0)
    scans: dict[int, str] = {}
    finished: set[int] = set()
    kills = 0
    try:
        while len(finished) < len(content) or kills < 50:
            deadline = time.monotonic() + rng.uniform(0.05, 1.2) if kills < 50 else time.monotonic() + 120
            with httpx.Client(base_url=served.address, headers=headers, timeout=10) as client:
                for name, scan in scans.items():
                    if name in finished:
                        assert client.get(f"/api/v1/scans/{scan}/report").status_code == 200
                while time.monotonic() < deadline and len(finished) < len(content):
                    name = rng.choice([one for one in content if one not in finished])
                    _one_step(client, name, content[name], ids, acknowledged, scans, finished)
                    if kills == 50:
                        time.sleep(0.02)
            if kills < 50:
                served.kill()
                kills += 1
                served = start(data)
            elif time.monotonic() >= deadline:
                break
        assert (kills, len(finished)) == (50, len(content))
    finally:
        served.process.terminate()
        served.process.wait(20)


def _one_step(
    client: httpx.Client,
    name: int,
    data: bytes,
    ids: dict[int, str],
    acknowledged: dict[int, int],
    scans: dict[int, str],
    finished: set[int],
) -> None:
    """The next request of one of the uploads; what was acknowledged before must be there."""
    if name not in ids:
        made = client.post("/api/v1/uploads", json={"files": [{"path": "waagent.log", "size": len(data)}]})
        ids[name] = made.json()["id"]
    elif name not in scans:
        told = client.get(f"/api/v1/uploads/{ids[name]}").json()
        here = told["files"][0]["received"]
        assert here >= acknowledged[name]
        if here < len(data):
            put_part(client, ids[name], 0, here, data[here : here + 200_000])
            acknowledged[name] = min(here + 200_000, len(data))
        else:
            key = {"Idempotency-Key": ids[name]}
            answer = client.post(f"/api/v1/uploads/{ids[name]}/scan", headers=key)
            assert answer.status_code == 202, answer.text
            scans[name] = answer.json()["id"]
    else:
        state = client.get(f"/api/v1/scans/{scans[name]}").json()["state"]
        assert state in ("queued", "running", "done")
        if state == "done":
            finished.add(name)


def test_ten_thousand_files_are_one_bundle_and_one_more_is_refused(server: Served) -> None:
    client = server.signed_in()
    files = {f"bundle/part {number // 100}/note {number}.txt": b"nothing to see\n" for number in range(9_999)}
    files["bundle/var/log/waagent.log"] = LOG
    made = client.post("/api/v1/uploads", json={"files": [{"path": p, "size": len(d)} for p, d in files.items()]})
    assert made.status_code == 201, made.text
    with ThreadPoolExecutor(4) as pool:
        for data, part in [
            (data, pool.submit(put_part, client, made.json()["id"], number, 0, data))
            for number, data in enumerate(files.values())
        ]:
            assert int(part.result().headers["Upload-Offset"]) == len(data)
    scan = client.post(f"/api/v1/uploads/{made.json()['id']}/scan").json()["id"]
    assert ended(client, scan, 600)["state"] == "done"
    receipt = client.get(f"/api/v1/scans/{scan}/report").json()["receipt"]
    assert (receipt["files"], receipt["events"]) == (10_000, 1)
    more = [{"path": f"{number}.txt", "size": 1} for number in range(10_001)]
    refused = client.post("/api/v1/uploads", json={"files": more})
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:loganalyzer:problem:too-many")


def test_fifty_clients_at_once_meet_no_error_but_too_many(server: Served) -> None:
    """Each uploads 20 MiB; meanwhile the server says that it lives, and its memory stays bounded."""
    token = token_of(server.signed_in())
    headers = {"Authorization": f"Bearer {token}"}
    refused: list[int] = []
    done = threading.Event()

    def one(number: int) -> str:
        data = (LOG * (20 * (1 << 20) // len(LOG) + 1))[: 20 << 20]
        with httpx.Client(base_url=server.address, headers=headers, timeout=120) as client:
            made = client.post("/api/v1/uploads", json={"files": [{"path": f"{number}.log", "size": len(data)}]}).json()
            offset = 0
            while offset < len(data):
                answer = client.patch(
                    f"/api/v1/uploads/{made['id']}/files/0",
                    content=data[offset : offset + (4 << 20)],
                    headers={"Upload-Offset": str(offset)},
                )
                if answer.status_code == 204:
                    offset = int(answer.headers["Upload-Offset"])
                else:
                    refused.append(answer.status_code)
                    time.sleep(random.Random(offset + number).uniform(0.1, 1))
            return str(made["id"])

    largest = 0

    def watch() -> None:
        nonlocal largest
        process = psutil.Process(server.process.pid)
        while not done.wait(0.2):
            largest = max(largest, process.memory_info().rss)
            assert httpx.get(f"{server.address}/health", timeout=60).status_code == 200

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(50) as pool:
        uploads = list(pool.map(one, range(50)))
    done.set()
    watcher.join()
    assert len(set(uploads)) == 50
    assert set(refused) <= {429}
    assert largest < 512 << 20
