"""A server for tests: the program itself in a process of its own, and a client of its API."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


@dataclass
class Served:
    """A running server. ``link`` is its sign-in link, good once."""

    process: subprocess.Popen[str]
    address: str
    link: str

    def signed_in(self) -> httpx.Client:
        """A client with a session, as a page of the server would ask."""
        client = httpx.Client(base_url=self.address, headers={"Sec-Fetch-Site": "same-origin"}, timeout=60)
        answer = client.post("/sign-in", data={"code": self.link.partition("code=")[2]})
        assert answer.status_code == 303
        return client

    def kill(self) -> None:
        """As a crash of the machine would: without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def start(data: Path, *options: str) -> Served:
    """A server on a free port."""
    words = [sys.executable, "-m", "loganalyzer", "serve", "--data", str(data), "--port", "0", *options]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(3)]
    found = re.search(r"http://127\.0\.0\.1:\d+", told[0])
    assert found is not None, told
    link = re.search(r"http://\S+", told[1])
    assert link is not None, told
    served = Served(process, found[0], link[0])
    for _ in range(100):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{served.address}/health").status_code == 200:
                return served
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@contextlib.contextmanager
def serving(data: Path, *options: str) -> Iterator[Served]:
    """The same, ended in the end."""
    served = start(data, *options)
    try:
        yield served
    finally:
        served.process.terminate()
        try:
            served.process.wait(20)
        except subprocess.TimeoutExpired:
            served.kill()


def upload(client: httpx.Client, files: dict[str, bytes], part: int = 1 << 20) -> str:
    """Uploads all in parts; the id of the upload."""
    made = client.post("/api/v1/uploads", json={"files": [{"path": p, "size": len(d)} for p, d in files.items()]})
    assert made.status_code == 201, made.text
    for number, data in enumerate(files.values()):
        for offset in range(0, len(data), part):
            put_part(client, made.json()["id"], number, offset, data[offset : offset + part])
    return str(made.json()["id"])


def put_part(client: httpx.Client, upload: str, number: int, offset: int, data: bytes) -> httpx.Response:
    """One part, again for as long as the server is busy."""
    for _ in range(100):
        answer = client.patch(
            f"/api/v1/uploads/{upload}/files/{number}", content=data, headers={"Upload-Offset": str(offset)}
        )
        if answer.status_code != 429:
            assert answer.status_code == 204, answer.text
            return answer
        time.sleep(float(answer.headers["Retry-After"]) / 10)
    raise AssertionError("the server stayed busy")


def ended(client: httpx.Client, scan: str, seconds: float = 60) -> dict[str, Any]:
    """The scan when it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found: dict[str, Any] = client.get(f"/api/v1/scans/{scan}").json()
        if found["state"] in ("done", "failed", "cancelled"):
            return found
        time.sleep(0.1)
    raise AssertionError(f"the scan came to no end within {seconds} seconds")
