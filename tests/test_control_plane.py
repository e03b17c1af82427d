"""Exports of the control plane: every shape that az, PowerShell and the portal write, and what a scan makes of them.

All texts are made up; the shapes are those of the reference (control-plane.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from loganalyzer.catalogue import load_catalogue
from loganalyzer.parser import ParseContext, Parsed
from loganalyzer.parser_format_list import listed_objects
from loganalyzer.parser_listing import console_lines
from loganalyzer.pipeline import ScanOptions, scan
from loganalyzer.registry import parsers, recognise
from loganalyzer.report.model import Report
from loganalyzer.signatures_in_use import builtin_rules
from loganalyzer.source import Source
from loganalyzer.windows import Ticket

SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
VM = f"{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/vm07"
BACKUP_GROUP = f"{SUBSCRIPTION}/resourceGroups/AzureBackupRG_northeurope_1"
COLLECTION = f"{BACKUP_GROUP}/providers/Microsoft.Compute/restorePointCollections/AzureBackup_vm07_1"
JOB_ID = "11111111-2222-3333-4444-555555555555"
BACKUP_SERVICE = "262044b1-e2ce-469f-a196-69ab7ada62d3"


def job(status: str = "Failed", **properties: Any) -> dict[str, Any]:
    """A job of vm07 as az prints it, from ten to 22:21:40 of the first of March 2026."""
    known = {
        "backupManagementType": "AzureIaasVM",
        "entityFriendlyName": "vm07",
        "operation": "Backup",
        "status": status,
        "startTime": "2026-03-01T22:00:04.1234567+00:00",
        "endTime": "2026-03-01T22:21:40Z",
        "duration": "0:21:36.5",
    }
    identifier = f"{SUBSCRIPTION}/resourceGroups/v/providers/Microsoft.RecoveryServices/vaults/va/backupJobs/{JOB_ID}"
    return {"id": identifier, "name": JOB_ID, "properties": known | properties}


def failed_with(code: object, message: str = "Told.") -> dict[str, Any]:
    return job(errorDetails=[{"errorCode": code, "errorString": message, "recommendations": ["Do this."]}])


def lock(scope: str, level: str = "CanNotDelete") -> dict[str, Any]:
    return {"id": f"{scope}/providers/Microsoft.Authorization/locks/keep", "name": "keep", "level": level}


def points(number: int, *, source: str = VM, name: str = "c", state: str = "Succeeded") -> dict[str, Any]:
    listed = [{"name": f"p{one}", "provisioningState": "Succeeded"} for one in range(number)]
    identifier = f"{BACKUP_GROUP}/providers/Microsoft.Compute/restorePointCollections/{name}"
    shared = {"id": identifier, "name": name, "source": {"id": source}}
    return {**shared, "provisioningState": state, "restorePoints": listed}


def view(power: str = "running", state: str = "succeeded", **more: Any) -> dict[str, Any]:
    statuses = [{"code": f"ProvisioningState/{state}"}, {"code": f"PowerState/{power}"}]
    told = {"osName": "Windows Server 2022", "statuses": statuses, **more}
    return {"name": "vm07", "hardwareProfile": {"vmSize": "s"}, "instanceView": told}


def disk(**more: Any) -> dict[str, Any]:
    known = {"name": "d", "type": "Microsoft.Compute/disks", "diskSizeGB": 128, "diskState": "Attached"}
    return known | {"managedBy": VM, "sku": {"name": "Premium_LRS"}, "encryptionSettingsCollection": None} | more


def event(operation: str, status: str, *, at: str = "2026-03-01T22:10:00Z", **more: Any) -> dict[str, Any]:
    """An event of the activity log; ``error`` becomes a status message, which is JSON inside of JSON."""
    error = more.pop("error", None)
    told = {"statusMessage": json.dumps({"error": {"code": error, "message": "Told."}})} if error else {}
    known = {"eventTimestamp": at, "caller": "somebody@example.org", "category": {"value": "Administrative"}}
    shape = {"operationName": {"value": operation}, "status": {"value": status}, "resourceId": VM, "properties": told}
    return known | shape | more


def item(state: str, name: str = "vm07") -> dict[str, Any]:
    properties = {"friendlyName": name, "protectionState": state, "lastBackupStatus": "Failed"}
    return {"name": f"VM;iaasvmcontainerv2;rg;{name}", "properties": properties}


def read(path: str, value: object) -> tuple[str, list[dict[str, Any]], Parsed]:
    """The parser that is chosen for a file, its rows, and all of what it gives."""
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    source = Source(path, data)
    recognised = recognise(source)
    assert recognised is not None, path
    parsed = recognised.parser.parse(source, ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(data)
    return recognised.parser.name, [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)], parsed


def rows(path: str, value: object, kind: str | None = None) -> list[dict[str, Any]]:
    return [row for row in read(path, value)[1] if kind is None or row["kind"] == kind]


def bundle(folder: Path, files: Mapping[str, object], **options: Any) -> Report:
    """The report on a folder ``control-plane`` of these files; each must be known."""
    place = folder / "control-plane"
    place.mkdir()
    for name, value in files.items():
        (place / name).write_bytes(value if isinstance(value, bytes) else orjson.dumps(value))
    report = scan([folder], ScanOptions(**options)).report
    assert [one.source for one in report.coverage if one.status != "read"] == []
    return report


def verdicts(report: Report) -> dict[str, str]:
    return {one.cause: one.verdict for one in report.diagnoses}


# --- shapes ----------------------------------------------------------------------------------------------------------

SHAPES: Sequence[tuple[str, str, object, str]] = [
    ("backup_jobs.json", "backup_jobs_json", [job()], "entityFriendlyName"),
    ("locks.json", "resource_locks_json", [lock(BACKUP_GROUP)], "level"),
    ("restore_points.json", "restore_points_json", [points(3)], "restorePoints"),
    ("disks.json", "managed_disks_json", [disk()], "diskSizeGB"),
    ("backup_items.json", "backup_items_json", [item("Protected")], "protectionState"),
    ("instance_view.json", "vm_view_json", [view()], "statuses"),
    ("activity.json", "activity_log_json", [event("A/b/write", "Failed", error="X")], "eventTimestamp"),
]


def _pascal(value: object) -> object:
    """As ConvertTo-Json writes it: keys begin with a capital."""
    if isinstance(value, dict):
        return {f"{key[:1].upper()}{key[1:]}": _pascal(one) for key, one in value.items()}
    return [_pascal(one) for one in value] if isinstance(value, list) else value


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says, without where it stands."""
    placed = ("log.", "event.original", "event.sequence")
    return {name: value for name, value in row.items() if not name.startswith(placed)}


@pytest.mark.parametrize(("name", "parser", "listed", "key"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_every_wrapping_of_an_export_says_the_same(name: str, parser: str, listed: list[Any], key: str) -> None:
    plain = [_told(row) for row in rows(name, listed)]
    assert plain
    indented = orjson.dumps(listed, option=orjson.OPT_INDENT_2)
    wrappings: dict[str, bytes] = {
        "an object": orjson.dumps(listed[0]),
        "an answer of REST": orjson.dumps({"value": listed, "nextLink": None}),
        "UTF-16 with a mark, as PowerShell redirects": indented.decode().encode("utf-16"),
        "UTF-8 with a mark": b"\xef\xbb\xbf" + indented,
        "Windows line ends": indented.replace(b"\n", b"\r\n"),
        "a warning of az before it": b"WARNING: This command is in preview.\n" + indented,
        "a prompt around it": b"$ az x list -o json\n" + indented + b"\n$ \n",
        "keys in capitals": orjson.dumps(_pascal(listed)),
    }
    for told, data in wrappings.items():
        chosen, found, _ = read(name, data)
        assert (told, chosen) == (told, parser)
        assert [_told(row) for row in found] == plain, told


@pytest.mark.parametrize(("name", "parser", "listed", "key"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_an_export_under_any_name_is_known_by_its_keys(name: str, parser: str, listed: list[Any], key: str) -> None:
    assert read("some folder/out.txt", listed)[0] == parser


@pytest.mark.parametrize(("name", "parser", "listed", "key"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_a_cut_export_says_so_and_keeps_what_is_whole(name: str, parser: str, listed: list[Any], key: str) -> None:
    twice = orjson.dumps([*listed, *listed])
    cut = twice[: twice.rindex(f'"{key}"'.encode()) + len(key) + 3]
    chosen, found, parsed = read(name, cut)
    assert chosen == parser
    assert found
    assert any("ends in the middle" in told for told in parsed.damage)
    assert parsed.rejected_bytes > 0


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 20_000,
        b'{"a":' * 20_000,
        b'[{"level": {"level": []}, "id": 5, "locks": "Microsoft.Authorization/locks"}]',
        b'{"value": {"value": [[[]]]}, "protectionState": [], "lastBackupTime": {"value": {}}}',
        b'[{"eventTimestamp": 1e400, "operationName": {"value": 7}, "properties": "{\\"a\\": "}]',
        b'[{"diskSizeGB": 99999999999999999999999999, "sku": [], "id": "Microsoft.Compute/disks"}]',
        b'{"statuses": [null, 3, {"code": null}], "vmAgent": {"statuses": "x", "vmAgentVersion": "9.9.9.9.9.9"}}',
        b'[{"source": {"id": 3}, "restorePoints": [1, null, {}], "provisioningState": false}]',
        "\u202e\x1b[31m Error Code: \x00UserErrorX\nError Message: \ud7ff\n".encode() * 50,
        b"Name : a\n" * 3_000,
        b"  A : \n    B : \n      C : \n" * 500,
        b"Key : " + b"@{a=" * 5_000,
    ],
)
@pytest.mark.parametrize("name", [*(shape[0] for shape in SHAPES), "portal-error.txt", "query_data.csv"])
def test_hostile_values_raise_nothing_and_lose_no_byte(name: str, hostile: bytes) -> None:
    source = Source(name, hostile)
    for recognised in (recognise(source), recognise(Source(name, b"[]"))):
        if recognised is not None:
            parsed = recognised.parser.parse(source, ParseContext())
            assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(hostile)


def test_objects_of_a_list_of_keys_are_read_with_what_lies_in_them() -> None:
    text = (
        b"Name : one\nId : /a/\n     b\nTags : {x, y}\nOn : True\nNone :\nMore : @{level=ReadOnly; notes=}\n\n"
        b"Remark: no\n"
        b"Name : two\nInner :\n  Name : in\n  List[0] :\n    Code : c0\n  List[1] :\n    Code : c1\nLast : l\n"
        b"Name : three\nKey : v\n"
    )
    first, second, third = (one.value for one in listed_objects(console_lines(text)))
    more = {"level": "ReadOnly", "notes": None}
    assert first == {"Name": "one", "Id": "/a/b", "Tags": ["x", "y"], "On": True, "None": None, "More": more}
    assert second["Inner"] == {"Name": "in", "List": [{"Code": "c0"}, {"Code": "c1"}]}
    assert (second["Last"], third) == ("l", {"Name": "three", "Key": "v"})


# --- jobs, from whatever source ---------------------------------------------------------------------------------------

LOG_ANALYTICS = {
    "TimeGenerated": "2026-03-01T22:30:00Z",
    "OperationName": "Job",
    "Category": "AddonAzureBackupJobs",
    "BackupManagementType": "IaaSVM",
    "BackupItemUniqueId": "16;va;iaasvmcontainerv2;rg-app;vm07",
    "JobUniqueId": JOB_ID,
    "JobOperation": "Backup",
    "JobStatus": "Failed",
    "JobFailureCode": "UserErrorGuestAgentStatusUnavailable",
    "JobStartDateTime": "2026-03-01T22:00:04Z",
    "JobDurationInSecs": 1296,
}
_TABLES = {
    "tables": [
        {"name": "T", "columns": [{"name": name} for name in LOG_ANALYTICS], "rows": [list(LOG_ANALYTICS.values())]}
    ]
}
_CSV = (",".join(f"{name}_s" for name in LOG_ANALYTICS) + "\r\n" + ",".join(map(str, LOG_ANALYTICS.values()))).encode()
_LIST = (
    f"ErrorDetails : {{X}}\nJobId : {JOB_ID}\nOperation : Backup\nStatus : Failed\nWorkloadName : vm07\n"
    "StartTime : 2026-03-01T22:00:04Z\nEndTime : 2026-03-01T22:21:40Z\nBackupManagementType : AzureVM\n\n"
    "ErrorCode : UserErrorGuestAgentStatusUnavailable\nErrorMessage : Told.\n"
).encode()
_PORTAL = (
    b"Operazione: Backup\nStato: Non riuscita\nNome macchina virtuale: vm07\nOra di inizio: 01/03/2026 22:00:04 UTC\n"
    b"Ora di fine: 01/03/2026 22:21:40 UTC\nCodice errore: UserErrorGuestAgentStatusUnavailable\n"
    b"Messaggio di errore: Detto.\n"
)
SOURCES: Mapping[str, tuple[str, object]] = {
    "JSON of az": ("backup_job.json", failed_with("UserErrorGuestAgentStatusUnavailable")),
    "rows of Log Analytics": ("la_jobs.json", [LOG_ANALYTICS]),
    "tables of the service": ("query.json", _TABLES),
    "AzureDiagnostics with types behind the names": (
        "la_jobs.json",
        [{f"{name}_{'g' if name == 'JobUniqueId' else 's'}": value for name, value in LOG_ANALYTICS.items()}],
    ),
    "CSV": ("query_data.csv", _CSV),
    "a list of PowerShell": ("job.txt", _LIST),
    "the portal in Italian": ("portal-error.txt", _PORTAL),
}


@pytest.mark.parametrize(("name", "value"), SOURCES.values(), ids=list(SOURCES))
def test_a_failed_job_is_an_attempt_and_its_error_counts_from_whatever_source(
    name: str, value: object, tmp_path: Path
) -> None:
    report = bundle(tmp_path, {name: value})
    assert [(one.outcome, one.end and one.end.replace(microsecond=0)) for one in report.attempts] == [
        ("failure", datetime(2026, 3, 1, 22, 21, 40, tzinfo=UTC))
    ]
    assert [one.code for one in report.errors] == ["UserErrorGuestAgentStatusUnavailable"]
    assert report.verdict == "cannot-tell"


def test_a_job_that_several_files_tell_is_one_attempt(tmp_path: Path) -> None:
    files = {name: value for name, value in SOURCES.values() if name != "portal-error.txt"}
    assert len(files) == 5
    assert len(bundle(tmp_path, files).attempts) == 1


def test_a_long_job_that_two_files_tell_is_one_attempt(tmp_path: Path) -> None:
    long = job("Completed", endTime="2026-03-02T05:00:04.9Z", duration="7:00:00")
    same = LOG_ANALYTICS | {"JobStatus": "Completed", "JobFailureCode": "Success", "JobDurationInSecs": 25_200}
    report = bundle(tmp_path, {"backup_job.json": long, "la_jobs.json": [same]})
    assert [one.outcome for one in report.attempts] == ["success"]
    assert report.verdict == "no-fault-found"


def test_of_a_job_in_log_analytics_the_last_row_counts() -> None:
    early = LOG_ANALYTICS | {"TimeGenerated": "2026-03-01T22:05:00Z", "JobStatus": "InProgress", "JobFailureCode": ""}
    found = rows("la_jobs.json", [LOG_ANALYTICS, early])
    assert [(row["kind"], row["status"]) for row in found if row["kind"] in ("job", "earlier")] == [
        ("job", "Failed"),
        ("earlier", "InProgress"),
    ]


def test_rows_of_items_give_jobs_the_names_of_their_vms() -> None:
    core = {"BackupItemUniqueId": LOG_ANALYTICS["BackupItemUniqueId"], "BackupItemFriendlyName": "The VM"}
    found = rows("la_jobs.json", [LOG_ANALYTICS, core | {"Category": "CoreAzureBackup"}])
    assert {row["item"] for row in found} == {"The VM"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backup_jobs.json", [job(backupManagementType="AzureWorkload", errorDetails=[{"errorCode": "X"}])]),
        ("la_jobs.json", [LOG_ANALYTICS | {"BackupManagementType": "AzureWorkload"}]),
        ("job.txt", _LIST.replace(b"AzureVM", b"AzureWorkload")),
    ],
)
def test_a_job_of_a_database_is_no_backup_of_the_vm(name: str, value: object) -> None:
    found = rows(name, value)
    assert {row["kind"] for row in found} == {"foreign_job"}
    assert [row["error_code"] for row in found if row["error_code"]] == []


def test_of_several_vms_the_one_whose_last_backup_failed_is_meant() -> None:
    other = job("Completed", entityFriendlyName="vm08") | {"name": "other"}
    found = rows("backup_jobs.json", [other, failed_with("UserErrorKeyvaultPermissionsNotConfigured")])
    assert [(row["kind"], row["item"]) for row in found] == [("other_item", "vm08"), ("job", "vm07"), ("error", "vm07")]


def test_a_job_tells_which_other_one_kept_it_from_starting() -> None:
    before = job("InProgress", startTime="2026-03-01T20:00:04Z", endTime=None) | {"name": "before"}
    done = job("Completed", startTime="2026-03-01T10:00:00Z", endTime="2026-03-01T11:00:00Z") | {"name": "done"}
    found = {row["job_id"]: row for row in rows("backup_jobs.json", [job(), done, before], "job")}
    assert (found[JOB_ID]["blocked_by"], found[JOB_ID]["blocked_by_vault"]) == ("before", "same")
    assert found[JOB_ID]["blocked_by_seconds"] == 7200
    assert found["before"]["blocked_by"] is None


# --- what only the whole of an export tells --------------------------------------------------------------------------


def test_points_count_by_their_vm_over_all_collections() -> None:
    found = rows(
        "restore_points.json", [points(9, name="a"), points(9, name="b", source=VM.upper()), points(2, source="/x")]
    )
    assert {row["source"]: row["points"] for row in found if row["kind"] == "source"} == {VM.lower(): 18, "/x": 2}
    assert [row["most_points"] for row in found if row["kind"] == "summary"] == [18]


def test_collections_without_their_points_are_not_counted_as_empty() -> None:
    bare = points(0) | {"restorePoints": None}
    found = rows("restore_points.json", [bare, points(3, name="b", source="/x")])
    assert [row["most_points"] for row in found if row["kind"] == "summary"] == [None]


def test_a_failure_stands_until_the_same_operation_succeeds_on_the_same_resource() -> None:
    failed = event("Microsoft.Compute/virtualMachines/write", "Failed")
    elsewhere = event(
        "Microsoft.Compute/virtualMachines/write", "Succeeded", at="2026-03-01T22:20:00Z", resourceId="/x"
    )
    mended = event("Microsoft.Compute/virtualMachines/write", "Succeeded", at="2026-03-01T22:30:00Z")
    [open_row, _] = rows("activity.json", [failed, elsewhere])
    assert open_row["event.end"] is None
    [_, _, ended] = rows("activity.json", [mended, elsewhere, failed])
    assert ended["event.end"] == datetime(2026, 3, 1, 22, 30, tzinfo=UTC)


def test_points_of_one_collection_share_the_end_of_a_failure() -> None:
    operation = "Microsoft.Compute/restorePointCollections/restorePoints/delete"
    failed = event(operation, "Failed", error="ScopeLocked", resourceId=f"{COLLECTION}/restorePoints/p1")
    done = event(operation, "Succeeded", at="2026-03-01T23:00:00Z", resourceId=f"{COLLECTION}/restorePoints/p2")
    assert rows("activity.json", [failed, done])[0]["event.end"] == datetime(2026, 3, 1, 23, tzinfo=UTC)


def test_both_schemas_of_the_activity_log_name_outcomes_alike() -> None:
    exported = {"time": "2026-03-01T22:10:00Z", "operationName": "A/B/WRITE", "resultType": "Failure", "resourceId": VM}
    [one] = rows("PT1H.json", orjson.dumps(exported))
    [other] = rows("activity.json", [event("A/B/WRITE", "Failed")])
    assert [(row["outcome"], row["operation"], row["vm"], row["@timestamp"]) for row in (one, other)] == [
        ("failed", "A/B/WRITE", "vm07", datetime(2026, 3, 1, 22, 10, tzinfo=UTC))
    ] * 2


def test_exports_that_speak_of_each_other_are_told_apart_under_any_name() -> None:
    made_of = f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/disks/d"
    snapshot: dict[str, object] = {
        "name": "s",
        "type": "Microsoft.Compute/snapshots",
        "creationData": {"sourceResourceId": made_of},
    }
    snapshot |= {"diskSizeGB": 128, "sku": {"name": "Standard_LRS"}, "incremental": True}
    locked = event("Microsoft.Authorization/locks/write", "Succeeded", level="Informational", id="/x")
    model = view() | {"resources": [{"publisher": "C", "typeHandlerVersion": "1", "provisioningState": "Succeeded"}]}
    chosen = [read("out.json", [value])[0] for value in (snapshot, locked, model)]
    assert chosen == ["restore_points_json", "activity_log_json", "vm_view_json"]


def test_a_code_stands_next_to_its_key_in_what_powershell_throws() -> None:
    text = b"Operation failed.\nErrorCode:UserErrorMadeUp\nErrorMessage:It did not work.\n"
    [row] = rows("backup error.txt", text, "error")
    assert (row["error_code"], row["error_message"]) == ("UserErrorMadeUp", "It did not work.")


def test_the_status_of_a_call_that_was_refused_is_no_backup_job() -> None:
    text = b"ErrorCode: MadeUpError\nErrorMessage: It may not.\nEndTime: 13/03/2026 11:23:13\nStatus: Failed\n"
    [row] = rows("error.txt", text, "error")
    assert (row["error_code"], row["@timestamp"]) == ("MadeUpError", datetime(2026, 3, 13, 11, 23, 13, tzinfo=UTC))
    assert rows("error.txt", text, "job") == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("Fehlercode", "Fehlermeldung"),
        ("Code d’erreur", "Message d’erreur"),
        ("Código de error", "Mensaje de error"),
        ("Código de erro", "Mensagem de erro"),
        ("错误代码", "错误消息"),
    ],
)
def test_the_portal_tells_an_error_in_its_readers_language(code: str, message: str) -> None:
    for text in (f"{code}: MadeUpError\n{message}: No.\n", f"{code}\nMadeUpError\n{message}\nNo.\n"):
        [row] = rows("notes.txt", text.encode(), "error")
        assert (row["error_code"], row["error_message"]) == ("MadeUpError", "No.")


def test_a_sentence_of_powershell_ends_behind_the_code_and_its_stop() -> None:
    text = b"Restore-AzBackup : The backup failed. Error Code: MadeUpError. Error Message: No.\nAt line:1 char:1\n"
    [row] = rows("backup-error.txt", text, "error")
    assert row["error_code"] == "MadeUpError"


def test_an_answer_in_a_quotation_gives_its_errors_and_no_byte_is_lost() -> None:
    text = (
        '{ [Error: no]\n  body: \'{"error": {\\r\\n "code": "MadeUpError",\\r\\n "message": "The VM '
        "\\'vm07\\' did not.\"\\r\\n}}',\n  status: 200 }\n"
    )
    [row] = rows("azure.err", text.encode(), "error")
    assert (row["error_code"], row["error_message"]) == ("MadeUpError", "The VM 'vm07' did not.")


def test_a_vm_whose_agent_is_silent_is_told_by_its_system_where_something_names_one(tmp_path: Path) -> None:
    error = {"error": {"code": "VMAgentStatusCommunicationError", "message": "The VM has not reported."}}
    (tmp_path / "alone").mkdir()
    (tmp_path / "guest").mkdir()
    log = tmp_path / "guest" / "WaAppAgent.log"
    log.write_text("[00000004] [03/01/2026 01:02:03.45] [INFO]  Made up.\r\n", encoding="utf-8")
    alone = verdicts(bundle(tmp_path / "alone", {"error.json": error}))
    beside_a_log = verdicts(bundle(tmp_path / "guest", {"error.json": error}))
    assert alone == {"agent-unresponsive-linux": "possible", "agent-unresponsive-windows": "possible"}
    assert set(beside_a_log) == {"agent-unresponsive-windows"}


def test_an_error_inside_of_an_error_as_text_is_told_at_its_depth() -> None:
    inner = json.dumps(
        {"error": {"code": "Inner", "message": "In.", "details": [{"code": "Deepest", "message": "D."}]}}
    )
    found = rows("error.json", {"error": {"code": "Outer", "message": inner}})
    assert [(row["error_code"], row["depth"]) for row in found] == [("Outer", 0), ("Inner", 1), ("Deepest", 2)]


def test_an_empty_list_is_known_by_its_name_alone() -> None:
    assert read("control-plane/locks.json", b"[]\n")[1][0]["locks"] == 0
    assert read("control-plane/backup_items.json", b'{"value": []}')[1][0]["listed"] == 0
    assert recognise(Source("control-plane/other.json", b"[]")) is None
    assert [row["kind"] for row in rows("snapshots.json", b"[]")] == []


def test_a_time_without_a_zone_is_read_as_utc_and_says_so() -> None:
    [row] = rows("activity.json", [event("A/b/write", "Failed", at="2026-03-01T22:10:00")])
    assert row["@timestamp"] == datetime(2026, 3, 1, 22, 10, tzinfo=UTC)
    assert "zone" in row["time.assumed"]


# --- causes, and their nearest harmless neighbours -------------------------------------------------------------------

_LIMIT = failed_with("UserErrorRpCollectionLimitReached")
_DELETE = "Microsoft.Compute/restorePointCollections/restorePoints/delete"
_DONE = job("Completed")
_EXTENSION = {"name": "Tool", "type": "Contoso.Tool", "statuses": [{"code": "ProvisioningState/failed/1009"}]}
_INCIDENT = {
    "incidentType": "Incident",
    "stage": "Active",
    "trackingId": "A",
    "title": "Made up",
    "impactedServices": json.dumps(
        [{"ServiceName": "Virtual Machines", "ImpactedRegions": [{"RegionName": "North Europe"}]}]
    ),
}
_KEY_VAULT = {"name": "kv", "properties": {"vaultUri": "u", "enableRbacAuthorization": False, "accessPolicies": []}}

#: A cause, the files that show it, and the same with the smallest change that makes it harmless.
CAUSES: Sequence[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
    (
        "resource-lock-blocks-cleanup",
        {"job.json": _LIMIT, "locks.json": [lock(BACKUP_GROUP)]},
        {"job.json": _LIMIT, "locks.json": [lock(f"{SUBSCRIPTION}/resourceGroups/rg-web")]},
    ),
    (
        "resource-lock-blocks-cleanup",
        {
            "job.json": job(),
            "activity.json": [
                event(_DELETE, "Failed", at="2026-02-27T01:00:00Z", error="ScopeLocked", resourceId=COLLECTION)
            ],
        },
        {
            "job.json": job(),
            "activity.json": [
                event(_DELETE, "Failed", at="2026-02-27T01:00:00Z", error="ScopeLocked", resourceId=COLLECTION),
                event(_DELETE, "Succeeded", at="2026-02-28T01:00:00Z", resourceId=COLLECTION),
            ],
        },
    ),
    (
        "vm-or-storage-lock",
        {"job.json": job(), "locks.json": [lock(VM, "ReadOnly")]},
        {"job.json": job(), "locks.json": [lock(VM)]},
    ),
    (
        "restore-point-limit-reached",
        {"job.json": job(), "restore_points.json": [points(9, name="a"), points(9, name="b")]},
        {"job.json": job(), "restore_points.json": [points(9, name="a"), points(8, name="b")]},
    ),
    (
        "restore-point-limit-reached",
        {"portal-error.txt": b"Raggiunto il limite massimo di raccolte di punti di ripristino."},
        {"portal-error.txt": b"I punti di ripristino della macchina virtuale sono elencati."},
    ),
    (
        "restore-point-collection-deleted",
        {"job.json": job(), "restore_points.json": [points(2, state="Deleting")]},
        {"job.json": job(), "restore_points.json": [points(2)]},
    ),
    (
        "key-vault-permissions-missing",
        {"job.json": job(), "keyvault.json": _KEY_VAULT},
        {"job.json": job(), "keyvault.json": _KEY_VAULT, "disks.json": [disk()]},
    ),
    (
        "key-vault-permissions-missing",
        {"job.json": failed_with("UserErrorKeyVaultPermissionsNotConfigured")},
        {"job.json": failed_with(400999)},
    ),
    (
        "disk-size-over-limit",
        {"job.json": job(), "disks.json": [disk(diskSizeGB=40_000)]},
        {"job.json": job(), "disks.json": [disk(diskSizeGB=40_000, diskState="Unattached", managedBy=None)]},
    ),
    (
        "encrypted-disk-over-4tb",
        {"job.json": job(), "disks.json": [disk(diskSizeGB=8192, encryptionSettingsCollection={"enabled": True})]},
        {"job.json": job(), "disks.json": [disk(diskSizeGB=8192)]},
    ),
    (
        "unsupported-disk-configuration",
        {"job.json": job(), "disks.json": [disk(maxShares=2)]},
        {"job.json": job(), "disks.json": [disk(maxShares=1)]},
    ),
    (
        "backup-job-already-running",
        {"jobs.json": [job("InProgress", startTime="2026-03-01T20:00:00Z", endTime=None) | {"name": "b"}, job()]},
        {
            "jobs.json": [
                job("Completed", startTime="2026-03-01T20:00:00Z", endTime="2026-03-01T21:00:00Z") | {"name": "b"},
                job(),
            ]
        },
    ),
    (
        "item-not-protected-or-paused",
        {"job.json": job(), "backup_items.json": [item("ProtectionStopped")]},
        {"job.json": job(), "backup_items.json": [item("Protected")]},
    ),
    (
        "vm-provisioning-state-failed",
        {"job.json": job(), "instance_view.json": view(state="failed/Made")},
        {"job.json": job(), "instance_view.json": view(extensions=[_EXTENSION])},
    ),
    (
        "vm-not-running-or-transient",
        {"job.json": job(), "instance_view.json": view("deallocating")},
        {"job.json": job(), "instance_view.json": view("deallocated")},
    ),
    (
        "extension-operations-disallowed-on-vm",
        {"job.json": job(), "vm.json": view() | {"osProfile": {"allowExtensionOperations": False}}},
        {"job.json": job(), "vm.json": view() | {"osProfile": {"allowExtensionOperations": True}}},
    ),
    (
        "other-extension-failed",
        {"error.json": {"error": {"code": "VMExtensionProvisioningError", "message": "extension 'tool' failed."}}},
        {
            "error.json": {
                "error": {"code": "VMExtensionProvisioningError", "message": "extension 'VMSnapshot' failed."}
            }
        },
    ),
    (
        "compute-reported-underlying-error",
        {"job.json": failed_with("UserErrorCrpReportedUserError")},
        {"job.json": failed_with("UserErrorVmProvisioningStateFailed")},
    ),
    (
        "azure-policy-denies",
        {
            "job.json": job(),
            "activity.json": [
                event(
                    "Microsoft.Compute/snapshots/write",
                    "Failed",
                    error="RequestDisallowedByPolicy",
                    caller=BACKUP_SERVICE,
                )
            ],
        },
        {
            "job.json": job(),
            "activity.json": [event("Microsoft.Network/x/write", "Failed", error="RequestDisallowedByPolicy")],
        },
    ),
    (
        "transient-platform-error",
        {"job.json": job(), "activity.json": [event("S/i/action", "Active", properties=_INCIDENT)]},
        {
            "job.json": job(),
            "activity.json": [event("S/i/action", "Active", properties=_INCIDENT | {"incidentType": "Maintenance"})],
        },
    ),
    (
        "vault-transfer-slow",
        {
            "job.json": job(
                extendedInfo={
                    "tasksList": [
                        {"taskId": "Take Snapshot", "status": "Completed"},
                        {"taskId": "Transfer data to vault", "status": "Failed"},
                    ]
                }
            )
        },
        {
            "job.json": job(
                extendedInfo={
                    "tasksList": [
                        {"taskId": "Take Snapshot", "status": "Failed"},
                        {"taskId": "Transfer data to vault", "status": "NotStarted"},
                    ]
                }
            )
        },
    ),
    ("job-cancelled-or-rebooted", {"job.json": job("Cancelled")}, {"job.json": job()}),
    (
        "vm-deleted-or-moved",
        {
            "job.json": job(),
            "activity.json": [
                event("Microsoft.Compute/virtualMachines/delete", "Succeeded", at="2026-02-20T01:00:00Z")
            ],
        },
        {
            "job.json": job(),
            "activity.json": [event("Microsoft.Compute/virtualMachines/delete", "Failed", at="2026-02-20T01:00:00Z")],
        },
    ),
    (
        "vm-deleted-or-moved",
        {"vm.json": b"ERROR: (ResourceNotFound) The resource 'virtualMachines/vm07' was not found.\n"},
        {"vm.json": b"ERROR: (AuthorizationFailed) The client may not read this.\n"},
    ),
]


@pytest.mark.parametrize(("cause", "files", "harmless"), CAUSES, ids=[f"{one[0]}-{n}" for n, one in enumerate(CAUSES)])
def test_files_that_show_a_cause_name_it_and_their_harmless_neighbours_do_not(
    cause: str, files: Mapping[str, object], harmless: Mapping[str, object], tmp_path: Path
) -> None:
    for name in ("shown", "harmless"):
        (tmp_path / name).mkdir()
    found = verdicts(bundle(tmp_path / "shown", files))
    assert next(iter(found)) == cause
    assert cause not in verdicts(bundle(tmp_path / "harmless", harmless))


@pytest.mark.parametrize(
    "files",
    [
        {"locks.json": [lock(BACKUP_GROUP)]},
        {"restore_points.json": [points(18)]},
        {"disks.json": [disk(diskSizeGB=40_000)]},
        {"instance_view.json": view(state="failed/Made")},
        {"keyvault.json": _KEY_VAULT},
    ],
    ids=lambda files: next(iter(files)),
)
def test_a_state_that_did_not_keep_the_last_backup_from_completing_is_no_cause(
    files: Mapping[str, object], tmp_path: Path
) -> None:
    report = bundle(tmp_path, {"job.json": _DONE, **files})
    assert verdicts(report) == {}
    assert report.verdict == "no-fault-found"


def test_what_shows_the_opposite_rules_causes_out(tmp_path: Path) -> None:
    files = {
        "job.json": job(),
        "locks.json": [],
        "restore_points.json": [points(17)],
        "disks.json": [disk()],
        "backup_items.json": [item("Protected")],
        "instance_view.json": view(),
    }
    ruled = {one.cause for one in bundle(tmp_path, files).ruled_out}
    assert ruled >= {
        *("resource-lock-blocks-cleanup", "vm-or-storage-lock", "restore-point-limit-reached", "disk-size-over-limit"),
        *("encrypted-disk-over-4tb", "key-vault-permissions-missing", "item-not-protected-or-paused"),
        *("vm-not-running-or-transient", "vm-provisioning-state-failed"),
    }


def test_a_lock_that_was_refused_in_an_attempt_stays_true_of_it_when_no_lock_is_left(tmp_path: Path) -> None:
    told = event(_DELETE, "Failed", error="ScopeLocked", resourceId=COLLECTION)
    report = bundle(tmp_path, {"job.json": job(), "activity.json": [told], "locks.json": []})
    assert verdicts(report)["resource-lock-blocks-cleanup"] == "confirmed"


#: Exports that no parser reads: their causes are decided by errors alone.
UNREAD = {"cp.vault", "cp.metrics"}


def test_what_decides_a_cause_outside_of_the_guest_can_be_collected_and_read() -> None:
    catalogue = load_catalogue()
    outside = [cause for cause in catalogue.causes.values() if cause.guest_visible == "no"]
    assert len(outside) >= 25
    for cause in outside:
        for name in {*cause.requires.all_of, *cause.requires.any_of} - UNREAD:
            artefact = catalogue.artefacts[name]
            assert (artefact.collect or "").startswith("az "), name
            assert artefact.logsources, name
    assert [name for name in UNREAD if catalogue.artefacts[name].logsources] == []


def test_every_cause_that_an_export_decides_has_a_signature() -> None:
    supported = {
        rule.attribution.cause
        for rule in builtin_rules().rules
        if rule.attribution is not None and rule.attribution.role == "supports" and rule.logsource.product == "azure"
    }
    outside = {cause.id for cause in load_catalogue().causes.values() if cause.guest_visible == "no"}
    assert outside - supported == {"orphan-snapshots-after-vm-delete", "policy-migration-retention"}


def test_the_model_of_a_vm_alone_clears_no_cause_that_only_an_error_shows(tmp_path: Path) -> None:
    clear = bundle(tmp_path, {"vm.json": view()}).clear
    assert {"encryption-info-invalid", "trusted-launch-name-reuse", "region-or-vault-mismatch"} & set(clear) == set()


def test_errors_from_before_the_last_success_are_history(tmp_path: Path) -> None:
    later = job("Completed", startTime="2026-03-02T22:00:00Z", endTime="2026-03-02T22:30:00Z") | {"name": "later"}
    report = bundle(tmp_path, {"jobs.json": [later, failed_with("UserErrorKeyvaultPermissionsNotConfigured")]})
    assert (report.verdict, verdicts(report), report.errors) == ("no-fault-found", {}, ())


def test_secrets_of_an_export_are_not_shown(tmp_path: Path) -> None:
    secret = "c2VjcmV0LXZhbHVlLXRoYXQtbm9ib2R5LW1heS1zZWU"
    model = view(state="failed/Made") | {
        "resources": [
            {
                "name": "Tool",
                "publisher": "Contoso",
                "provisioningState": "Failed",
                "protectedSettings": secret,
                "settings": {"fileUris": [f"https://x.blob.core.windows.net/a?sv=1&sig={secret}"]},
            }
        ]
    }
    report = bundle(tmp_path, {"job.json": job(), "vm.json": model}, ticket=Ticket())
    assert verdicts(report)
    assert secret not in repr(report)


def test_a_line_of_very_many_scraps_is_told_in_some_pieces_and_no_byte_is_lost() -> None:
    data = b'"a":[{},1],' * 40_000 + b"\n"
    (parser,) = (one for one in parsers() if one.name == "backup_jobs_json")
    parsed = parser.parse(Source("backup_jobs.json", data), ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(data)
    assert 1_000 < parsed.rejected.height <= 25_000
