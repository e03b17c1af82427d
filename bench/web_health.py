"""How fast the server still says that it lives while many upload: ``python bench/web_health.py [--clients N]``.

Starts ``loganalyzer serve`` on a folder of its own, asks ``/health`` again and again while nothing else happens, then
while so many clients, each a process of its own, upload a file of that size in parts of 4 MiB. All of it is one run on
one machine. Prints median and 99th percentile of both in milliseconds, the ratio of the latter, how often a client was
asked to wait (429), and the server's greatest resident memory. The exit status is 1 if the ratio is above ``--bar`` or
a client met any other error.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.served import Served, serving

_LINE = b"2025-06-10T01:00:00.100000Z INFO Daemon Daemon Azure Linux Agent Version: 2.9.1.1\n"
_PART = 4 << 20


def main() -> int:
    """Prints what was measured; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50, help="uploads at once (default: %(default)s)")
    parser.add_argument("--size", type=int, default=20, help="MiB of each (default: %(default)s)")
    parser.add_argument("--idle", type=float, default=10, help="seconds of the idle server (default: %(default)s)")
    parser.add_argument("--bar", type=float, default=20, help="ratio of the percentiles (default: %(default)s)")
    options = parser.parse_args()
    with TemporaryDirectory() as work, serving(Path(work, "data")) as server:
        token = str(server.signed_in().post("/api/v1/tokens", json={"name": "bench"}).json()["token"])
        until = time.monotonic() + options.idle
        idle = _asked(server, lambda: time.monotonic() < until)
        context = multiprocessing.get_context("spawn")
        answers, ready = context.Queue(), context.Barrier(options.clients + 1)
        clients = [
            context.Process(target=_upload, args=(server.address, token, options.size << 20, number, answers, ready))
            for number in range(options.clients)
        ]
        for client in clients:
            client.start()
        ready.wait()  # the start of so many interpreters is not what is asked
        process, largest = psutil.Process(server.process.pid), [0]

        def going_on() -> bool:
            largest[0] = max(largest[0], process.memory_info().rss)
            return any(client.is_alive() for client in clients)

        busy = _asked(server, going_on)
        told = [answers.get(timeout=60) for _ in clients]
    waits, errors = sum(one for one, _ in told), sorted({error for _, found in told for error in found})
    ratio = _p99(busy) / _p99(idle)
    print(f"idle  {len(idle):6} answers  median {_median(idle):7.2f} ms  p99 {_p99(idle):8.2f} ms")
    print(f"busy  {len(busy):6} answers  median {_median(busy):7.2f} ms  p99 {_p99(busy):8.2f} ms")
    print(f"ratio of p99 {ratio:.1f} (bar {options.bar}); {waits} times 429; other errors: {errors or 'none'}")
    print(f"greatest resident memory of the server: {largest[0] >> 20} MiB")
    return 0 if ratio <= options.bar and not errors else 1


def _asked(server: Served, going_on: Callable[[], bool]) -> list[float]:
    """Seconds that each answer of ``/health`` took; asked every 5 ms over one connection."""
    taken = []
    with httpx.Client(base_url=server.address, timeout=120) as client:
        while going_on():
            begin = time.perf_counter()
            answer = client.get("/health")
            taken.append(time.perf_counter() - begin)
            answer.raise_for_status()
            time.sleep(0.005)
    return taken


def _upload(
    address: str,
    token: str,
    size: int,
    number: int,
    answers: multiprocessing.Queue[tuple[int, list[int]]],
    ready: Barrier,
) -> None:
    """One client; puts how often it was asked to wait, and the statuses of other refusals."""
    data = (_LINE * (size // len(_LINE) + 1))[:size]
    waits, errors, offset = 0, [], 0
    rng = random.Random(number)  # noqa: S311
    ready.wait()
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=300) as client:
        made = client.post("/api/v1/uploads", json={"files": [{"path": f"{number}.log", "size": size}]})
        while offset < size and not errors:
            part = data[offset : offset + _PART]
            where = {"Upload-Offset": str(offset)}
            answer = client.patch(f"/api/v1/uploads/{made.json()['id']}/files/0", content=part, headers=where)
            if answer.status_code == 204:
                offset += len(part)
            elif answer.status_code == 429:
                waits += 1
                time.sleep(float(answer.headers["Retry-After"]) * rng.uniform(0.5, 1.5))
            else:
                errors.append(answer.status_code)
    answers.put((waits, errors))


def _median(seconds: list[float]) -> float:
    return 1000 * sorted(seconds)[len(seconds) // 2]


def _p99(seconds: list[float]) -> float:
    return 1000 * quantiles(seconds, n=100)[98]


if __name__ == "__main__":
    raise SystemExit(main())
