"""Datasets of made-up machines, written as tables: many more than could be scanned, with what they share known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loganalyzer.fleet.schemas import COLUMNS, schema

CAUSE = "proxy-breaks-agent-traffic"
_OTHER = "wireserver-blocked"
_LAST = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine with one bundle. ``settings``: of ``waagent.conf``. ``cause``: null where none is known.

    ``verdict``: null for the one that the cause gives.
    """

    name: str
    cause: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    agent_version: str = "2.9.1.1"
    hosts: Sequence[str] | None = None
    last: datetime = _LAST
    errors: Sequence[str] = ()
    templates: Sequence[str] = ()
    verdict: str | None = None
    judged_by: str = "the same"


def write_dataset(folder: Path, machines: Iterable[Machine]) -> Path:
    """A dataset with one bundle for each machine, in one part."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    for number, one in enumerate(machines):
        key = {"bundle_id": f"{number:016x}"}
        rows["bundles"].append(key | _bundle(one))
        told = {"waagent_conf": one.settings.items()}
        rows["settings"] += [
            key | {"logsource": "linux/waagent/config", "name": name, "value": value}
            for name, value in told["waagent_conf"]
        ]
        rows["settings"].append(
            key | {"logsource": "linux/waagent/fact", "name": "agent_version", "value": one.agent_version}
        )
        rows["attempts"].append(key | {"attempt": "attempt-1", "start": one.last})
        rows["errors"] += [
            key | {"code": code, "message": "", "explained_by": [one.cause] if one.cause else []} for code in one.errors
        ]
        rows["unattributed"] += [
            key | {"template": text, "count": 2, "first": one.last, "last": one.last, "example": text}
            for text in one.templates
        ]
    part = folder / "part=00-00000"
    part.mkdir(parents=True)
    for name, of_table in rows.items():
        pq.write_table(pa.Table.from_pylist(of_table, schema=schema(name)), part / f"{name}.parquet")
    return folder


def _bundle(one: Machine) -> dict[str, Any]:
    return {
        "bundle": f"{one.name}.zip",
        "labels": [{"name": name, "value": value} for name, value in one.labels.items()],
        "status": "scanned",
        "report": f"reports/00/{one.name}.json",
        "judged_by": one.judged_by,
        "verdict": one.verdict or ("cause-found" if one.cause else "cannot-tell"),
        "cause": one.cause,
        "platform": "linux",
        "hosts": [one.name] if one.hosts is None else list(one.hosts),
        "last": one.last,
        "last_failure": one.last if one.cause else None,
        "agent_version": one.agent_version,
        "next_artefact": None if one.cause else "lin.waagent_log",
        "next_command": None if one.cause else "copy the file",
    }


def varied_fleet(text: str = "vm", count: int = 60) -> list[Machine]:
    """Machines of which every third has a cause, one proxy and an error; all names hold the text."""
    return [
        Machine(
            f"{text} {number:03}",
            CAUSE if number % 3 == 0 else _OTHER if number % 7 == 0 else None,
            {"HttpProxy.Host": text if number % 3 == 0 else "none"},
            {f"region {text}": "north" if number % 2 else "south"},
            f"2.9.{number % 4}.1 {text}",
            errors=[f"UserErrorMadeUp{text}"] if number % 3 == 0 else [],
            templates=[f"it failed <*> {text}"] if number % 5 == 0 else [],
            last=_LAST - timedelta(weeks=number % 6),
        )
        for number in range(count)
    ]


def earlier_fleet(machines: Sequence[Machine]) -> list[Machine]:
    """The same machines when every second one was still well, and the last ones were not there yet."""
    return [
        replace(one, cause=None, verdict="no-fault-found") if number % 2 else one
        for number, one in enumerate(machines[: len(machines) * 3 // 4])
    ]
