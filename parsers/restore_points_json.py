"""Restore point collections as JSON (``az restore-point collection list``, REST), their points, and snapshots.

Points count against a limit a VM, over all collections: a row ``source`` has the sum, a row ``summary`` the largest.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import orjson
import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_control_plane import (
    Record,
    Row,
    Whole,
    claim_export,
    field_of,
    first_text,
    ids_of,
    moment,
    parsed_export,
    truth,
)
from loganalyzer.parser_json import int_of, items, member
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("azure", "restorepoints")

#: ``kind``: collection, point (of a list of points alone), source (the sum over the collections of a VM), summary (the
#: ``most_points`` of a source; null where some are not listed) or snapshot. ``points`` is null where the list was made
#: without them; ``counted`` says whether those of all collections of a source are known. ``source`` is the id of the VM
#: or disk, in lower case.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "name": pl.String(),
    "source": pl.String(),
    "provisioning_state": pl.String(),
    "points": pl.Int64(),
    "failed_points": pl.Int64(),
    "counted": pl.Boolean(),
    "collections": pl.Int64(),
    "most_points": pl.Int64(),
    "oldest": TIMESTAMP,
    "newest": TIMESTAMP,
    "incremental": pl.Boolean(),
    "size_gib": pl.Int64(),
}
_COLLECTION = re.compile(r"/restorepoints/[^/]*$")
_VM = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm07"


@dataclass(frozen=True, slots=True)
class RestorePointsJson:
    """One row a collection, a source of collections and a snapshot."""

    name: str = "restore_points_json"
    title: str = "restore point collections and snapshots as JSON: az restore-point collection list, az snapshot list"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("az restore-point collection list -g <rg> -o json > restore_points.json",)
    strongest = 88
    samples: tuple[Sample, ...] = (
        Sample(
            "two collections of a VM",
            "restore_points.json",
            orjson.dumps(
                [
                    {
                        "id": "/subscriptions/0/resourceGroups/x/providers/Microsoft.Compute/restorePointCollections/a",
                        "name": "a",
                        "provisioningState": "Succeeded",
                        "source": {"id": _VM},
                        "restorePoints": [
                            {"timeCreated": "2026-03-01T22:05:00Z", "provisioningState": "Succeeded"},
                            {"timeCreated": "2026-03-02T22:05:00Z", "provisioningState": "Failed"},
                        ],
                    },
                    {
                        "name": "b",
                        "properties": {
                            "provisioningState": "Deleting",
                            "source": {"id": _VM.upper()},
                            "restorePoints": [{"properties": {"timeCreated": "2026-03-03T22:05:00Z"}}],
                        },
                    },
                ]
            ),
            (
                {
                    "kind": "collection",
                    "name": "a",
                    "points": 2,
                    "failed_points": 1,
                    "provisioning_state": "succeeded",
                    "oldest": datetime(2026, 3, 1, 22, 5, tzinfo=UTC),
                },
                {"kind": "collection", "name": "b", "points": 1, "provisioning_state": "deleting"},
                {"kind": "source", "points": 3, "source": _VM.lower(), "counted": True},
                {"kind": "summary", "most_points": 3, "collections": 2},
            ),
        ),
        Sample(
            "a list without the points",
            "control-plane/rpc.json",
            orjson.dumps(
                [
                    {
                        "name": "a",
                        "id": "/x/restorePointCollections/a",
                        "source": {"id": _VM},
                        "restorePoints": None,
                        "provisioningState": "Succeeded",
                    }
                ]
            ),
            (
                {"kind": "collection", "points": None},
                {"kind": "source", "points": None, "counted": False},
                {"kind": "summary", "most_points": None, "collections": 1},
            ),
        ),
        Sample(
            "the points of a collection",
            "points.json",
            orjson.dumps(
                [
                    {
                        "id": f"/x/restorePointCollections/A/restorePoints/{name}",
                        "name": name,
                        "consistencyMode": "CrashConsistent",
                        "timeCreated": "2026-03-01T22:05:00Z",
                        "sourceMetadata": {"vmId": "0"},
                    }
                    for name in ("p1", "p2")
                ]
            ),
            (
                {"kind": "point", "name": "p1", "source": "/x/restorepointcollections/a"},
                {"kind": "point", "name": "p2"},
                {"kind": "source", "points": 2, "source": "/x/restorepointcollections/a", "counted": True},
                {"kind": "summary", "most_points": 2},
            ),
        ),
        Sample(
            "snapshots",
            "snapshots.json",
            b'{"value": [{"type": "Microsoft.Compute/snapshots", "name": "s", "timeCreated": "2026-03-01T22:05:00Z",'
            b' "creationData": {"sourceResourceId": "/D"}, "incremental": true, "diskSizeGb": 128}]}',
            ({"kind": "snapshot", "name": "s", "incremental": True, "size_gib": 128, "source": "/d"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the types of the resources and what they were made of."""
        name = r"(?:^|[/!])[^/!]*(?:restore[-_ ]?points?|snapshots?|rpc)[^/!]*$"
        kinds = (
            (("source", "restorePoints|provisioningState|restorePointCollectionId"), r"restorePoint"),
            (("creationData",), r"Microsoft\.Compute/snapshots"),
            (("creationData", "incremental"), r"diskSizeGB"),
            (("consistencyMode", "timeCreated|sourceMetadata|provisioningState"), r"restorePoint"),
        )
        found = (
            claim_export(path, head, name=name, keys=keys, words=(word,), text="restore points or snapshots")
            for keys, word in kinds
        )
        return next((one for one in found if one is not None), None)

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a resource, then the sums; states, without a time."""
        snapshots = "snapshot" in source.path.replace("\\", "/").rsplit("/", 1)[-1].lower()
        return parsed_export(source, self.logsource, _COLUMNS, _rows, partial(_sums, snapshots=snapshots))


def _rows(record: Record) -> Iterator[Row]:
    one = record.value
    state = (first_text(one, "provisioningState") or "").lower() or None
    name = first_text(one, "name")
    if first_text(one, "consistencyMode") is not None and member(one, "restorePoints") is None:
        yield _point(one, name, state)
        return
    creation = field_of(one, "creationData")
    if creation is not None:
        yield {
            "kind": "snapshot",
            "name": name,
            "source": ids_of(creation, "sourceResourceId"),
            "provisioning_state": state,
            "oldest": moment(one, "timeCreated"),
            "newest": moment(one, "timeCreated"),
            "incremental": truth(field_of(one, "incremental")),
            "size_gib": int_of(field_of(one, "diskSizeGb")),
            "message": f"snapshot {name}",
        }
        return
    origin = ids_of(field_of(one, "source"), "id")
    if origin is None:
        return
    listed = field_of(one, "restorePoints")
    points = items(listed) if isinstance(listed, list) else None
    times = [time for point in points or () if (time := moment(point, "timeCreated")) is not None]
    failed = sum((first_text(point, "provisioningState") or "").lower() == "failed" for point in points or ())
    yield {
        "kind": "collection",
        "name": name,
        "source": origin,
        "provisioning_state": state,
        "points": len(points) if points is not None else None,
        "counted": points is not None and record.whole,
        "failed_points": failed,
        "oldest": min(times, default=None),
        "newest": max(times, default=None),
        "message": f"restore point collection {name}: {'?' if points is None else len(points)} points, {state}",
    }


def _point(one: Mapping[str, object], name: str | None, state: str | None) -> Row:
    """A point of a list that has nothing around it: what it was made of is known by its collection only."""
    made = moment(one, "timeCreated")
    return {
        "kind": "point",
        "name": name,
        "source": _COLLECTION.sub("", ids_of(one, "id") or "") or None,
        "provisioning_state": state,
        "oldest": made,
        "newest": made,
        "message": f"restore point {name}",
    }


def _sums(whole: Whole, snapshots: bool) -> Iterator[Row]:
    """The points of each source over all its collections, and the most of them; an empty list is what it is called."""
    yield from whole.rows
    counts: dict[str, list[tuple[int | None, bool]]] = defaultdict(list)
    for row in whole.rows:
        if row["kind"] == "collection":
            counts[str(row["source"])].append((int_of(row["points"]), row["counted"] is True))
        elif row["kind"] == "point":
            counts[str(row["source"])].append((1, True))
    sums = []
    for source, own in counts.items():
        known = [points for points, _ in own if points is not None]
        total, counted = sum(known) if known else None, all(sure for _, sure in own) and whole.complete
        sums.append(total if counted else None)
        told = f"{'?' if total is None else total} restore points of {source}"
        of_source: Row = {"kind": "source", "source": source, "points": total, "counted": counted, "message": told}
        yield {**whole.place, **of_source}
    if any(row["kind"] == "snapshot" for row in whole.rows) or (snapshots and not whole.rows):
        return
    most = max((one for one in sums if one is not None), default=0)
    summary: Row = {"kind": "summary", "collections": sum(row["kind"] == "collection" for row in whole.rows)}
    known_all = whole.complete and None not in sums
    told = f"at most {most} restore points of a VM" if known_all else "restore points that are not all listed"
    yield {**whole.place, **summary, "most_points": most if known_all else None, "message": told}


parser: Parser = RestorePointsJson()
