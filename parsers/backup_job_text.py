"""Backup jobs and their errors as text: copied from the portal, printed by PowerShell or by az when it fails.

Keys are known in English and Italian, as the portal shows them, those of errors in further languages. A value goes on
to the next key. A table of ``Get-AzRecoveryServicesBackupJob`` is read by its ruler. A message that was copied without
keys is read by paragraphs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source
from loganalyzer.parser_backup_jobs import JOB_COLUMNS, completed_jobs, is_running, kind_of_job
from loganalyzer.parser_control_plane import Row, Whole, duration_seconds
from loganalyzer.parser_dates import DATE, DateReader, date_reader
from loganalyzer.parser_listing import Line, Rejected, cited, console_head, console_lines, listing, paragraphs
from loganalyzer.schema import TIMESTAMP

_LOGSOURCE = LogSource("azure", "backupjob")

#: What the keys are called, the longer name first; folded, without marks around them.
_KEYS: Mapping[str, tuple[str, ...]] = {
    "error_code": (
        *("error code", "errorcode", "codice di errore", "codice errore", "code", "codice"),
        *("fehlercode", "code d'erreur", "code d’erreur", "código de error", "código de erro", "foutcode"),
        *("エラー コード", "エラーコード", "错误代码", "錯誤碼", "錯誤代碼"),
    ),
    "error_message": (
        *("error message", "errormessage", "error string", "errorstring", "messaggio di errore", "messaggio errore"),
        *("error details", "dettagli errore", "dettagli dell'errore", "message", "messaggio", "warning message"),
        *("failure details", "detailed error", "additional info"),
        *("fehlermeldung", "message d'erreur", "message d’erreur", "mensaje de error", "mensagem de erro"),
        *("foutbericht", "エラー メッセージ", "エラーメッセージ", "错误消息", "錯誤訊息"),
    ),
    "recommendations": (
        *("recommended actions", "recommended action", "recommendations", "recommendation", "suggested action"),
        *("azioni consigliate", "azione consigliata", "azione raccomandata", "raccomandazioni", "consigli"),
        *("empfohlene aktionen", "empfohlene aktion", "empfohlene maßnahmen", "empfohlene maßnahme"),
        *("actions recommandées", "action recommandée", "acciones recomendadas", "acción recomendada"),
        *("ações recomendadas", "ação recomendada", "aanbevolen acties", "aanbevolen actie"),
        *("推奨される操作", "推奨される対処法", "推奨アクション", "建议的操作", "建議的動作"),
    ),
    "job_id": ("job id", "jobid", "id processo"),
    "operation": ("operation", "operazione"),
    "status": ("status", "stato"),
    "start": ("start time", "starttime", "ora di inizio"),
    "end": ("end time", "endtime", "ora di fine"),
    "duration": ("duration", "durata"),
    "item": (
        *("workload name", "workloadname", "vm name", "virtual machine", "backup item"),
        *("nome macchina virtuale", "macchina virtuale", "elemento di backup"),
    ),
    "vault": ("vault name", "recovery services vault", "vault", "insieme di credenziali"),
    "activity_id": ("activity id", "activityid", "id attività"),
    "management": ("backupmanagementtype", "backup management type"),
    "": (
        *("iscancellable", "isretriable", "errordetails", "workloadtype", "properties"),
        *("subtasks", "dynamicerrormessage", "containername", "target", "inner error", "exception details"),
    ),
}
_COLUMN_OF = {name: column for column, names in _KEYS.items() for name in names}
_NAMES = "|".join(re.escape(name) for name in sorted(_COLUMN_OF, key=lambda name: -len(name)))
_MARK = r"[\s*_>#\-•|│\[【「'\"]{0,12}"
_KEY = re.compile(
    rf"(?:^{_MARK}|<br\s*/?>{_MARK}|(?<=[.;,])\s+\*{{0,2}}|\t\s*|\s{{2,}}|(?<=[」】])[・…\s]{{0,8}}[「【])"
    rf"(?P<key>{_NAMES})[\]】」'\"]{{0,2}}\s{{0,40}}\*{{0,2}}\s{{0,40}}"
    rf"(?:[:=|]\*{{0,2}}(?:\s|$|(?<=code:|sage:)(?=\S))|\t|$)",
    re.IGNORECASE,
)
_CODE_NAMES = "|".join(re.escape(name) for name in _KEYS["error_code"] if name != "codice")
_TEXT_NAMES = "|".join(
    re.escape(name)
    for column in ("error_message", "recommendations")
    for name in _KEYS[column]
    if name not in ("additional info", "detailed error", "failure details", "consigli")
)
_CODE_LINE = re.compile(
    rf"^{_MARK}(?:{_CODE_NAMES})[\]】」'\"]{{0,2}}\s*\*{{0,2}}\s*(?:[:=|]|\t|$)", re.IGNORECASE | re.MULTILINE
)
_TEXT_LINE = re.compile(
    rf"^{_MARK}(?:{_TEXT_NAMES})[\]】」'\"]{{0,2}}\s*\*{{0,2}}\s*(?:[:=|]|\t|$)", re.IGNORECASE | re.MULTILINE
)
#: A code of the service by itself: its words are run together.
_BARE = re.compile(
    r"^\W{0,4}(?:ERROR:\s*\(?)?(?P<code>(?<=\()[A-Z][A-Za-z0-9]{5,80}(?=\)\s)"
    r"|(?:UserError|Extension|GuestAgent|BackUp|Backup|BCM|BMS)[A-Za-z0-9]{5,80}\b)",
    re.MULTILINE,
)
#: The end of a line that a console broke before ``message:``, which is no key there.
_WRAPPED = re.compile(r"\b(?:an|and|the|with) error\s*$", re.IGNORECASE)
#: az prints the code of an answer that it did not like in front of its text.
_REFUSED = re.compile(r"\A\s*(?:WARNING:[^\n]*\n\s*){0,9}(?:ERROR:\s*)?\([A-Z][A-Za-z0-9]{5,80}\)\s+\S")
_PROSE = re.compile(
    r"\b(?:backup|snapshot|restore points?|recovery services|vm agent|key ?vault|macchin[ae] virtual[ei]"
    r"|punt[io] di ripristino|agente)\b",
    re.IGNORECASE,
)
#: What Azure's resource manager says of a call in words, whoever passes it on: the portal, az, PowerShell, Terraform.
_REFUSAL = re.compile(
    r"cannot perform \w+ operation because following scope\(s\) are locked"
    r"|\bCSE Error: |has reported (?:(?:a|an?(?: \w+)?|terminal) )?failure (?:when processing|for) (?:VM )?[Ee]xtension"
    r"|has not reported status for VM agent or extensions|was disallowed by (?:Azure )?[Pp]olicy"
    r"|number of restore points across restore point collections|rate of snapshot blob calls is exceeded"
    r"|extension operations are disallowed|Provisioning of VM extension .{1,120}? has timed out"
    r"|VM agent is unable to communicate with the Azure Backup|Snapshot operation failed|UserError[A-Z]\w{6,}"
    r"|Virtual Machine Agent is not running|did not finish in the allotted time|Azure Backup (?:service|encountered)"
)
#: A line of a log, which only quotes such words.
_LOG_LINE = re.compile(
    r"^\W{0,3}(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d|\d\d?[./]\d\d?[./]\d{4} \d\d?:\d\d"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d\d:\d\d:\d\d[.,]\d)",
    re.MULTILINE,
)
#: Such a text is short.
_LONGEST_TOLD = 16 * 1024
_OWN_NAME = re.compile(
    r"(?:^|[/!])(?:[^/!]*(?:portal|errore|(?:azure|az|arm|cli|backup|job|vm|terraform|powershell|deploy(?:ment)?)[-_ ]?"
    r"(?:error|errore|message|failure))[^/!]*"
    r"|control[-_ ]?plane/[^!]*(?:error|message)[^/!]*)\.(?:txt|log|md)$",
    re.IGNORECASE,
)
#: The portal's words for states and operations, as the service has them.
_WORDS = {
    **dict.fromkeys(("non riuscito", "non riuscita", "errore", "failure"), "Failed"),
    **dict.fromkeys(("completato", "completata", "riuscito", "riuscita", "operazione completata"), "Completed"),
    **dict.fromkeys(
        ("completato con avvisi", "completata con avvisi", "completed with warnings"), "CompletedWithWarnings"
    ),
    **dict.fromkeys(("in corso", "in progress"), "InProgress"),
    **dict.fromkeys(("annullato", "annullata", "canceled"), "Cancelled"),
    **dict.fromkeys(("ripristino", "ripristina"), "Restore"),
    **dict.fromkeys(("esegui backup", "esecuzione backup", "copia di backup"), "Backup"),
}
_JOB = re.compile(r"^(?:WorkloadName|JobId)\s*:", re.MULTILINE | re.IGNORECASE)
_TABLE = re.compile(r"^WorkloadName\s+Operation\s+Status\s+StartTime\b.*$", re.MULTILINE)
_RULER = re.compile(r"^-{4,}(?:\s+-{4,})+\s*$")
_TABLE_COLUMNS = {
    "workloadname": "item",
    "operation": "operation",
    "status": "status",
    "starttime": "start",
    "endtime": "end",
    "jobid": "job_id",
}
_NAMED = re.compile(r"(?:^|[/!])[^/!]*(?:portal|error|errore|backup|job)[^/!]*$", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class BackupJobText:
    """One row a job and an error."""

    name: str = "backup_job_text"
    title: str = "backup jobs and errors as text: the portal's error details, Get-AzRecoveryServicesBackupJob"
    logsource: LogSource = _LOGSOURCE
    strongest: int = 70
    paths: tuple[str, ...] = ("portal_error.txt", "Get-AzRecoveryServicesBackupJobDetail ... > job.txt")
    samples: tuple[Sample, ...] = (
        Sample(
            "the portal in English",
            "portal-error.txt",
            b"Error Code: UserErrorMadeUp\nError Message: It did not work.\n"
            b"Recommended Action: Do this.\nThen do that.\n",
            (
                {
                    "kind": "error",
                    "@timestamp": None,
                    "error_code": "UserErrorMadeUp",
                    "error_message": "It did not work.",
                    "recommendations": "Do this.\nThen do that.",
                },
            ),
        ),
        Sample(
            "the portal in Italian, keys and values on lines of their own, in a Western code page",
            "errore portale.txt",
            "Codice errore\r\nUserErrorMadeUp\r\nMessaggio di errore\r\nNon è riuscito.\r\n"
            "Azione consigliata\r\nRiprovare più tardi.\r\n".encode("cp1252"),
            (
                {
                    "error_code": "UserErrorMadeUp",
                    "error_message": "Non è riuscito.",
                    "recommendations": "Riprovare più tardi.",
                },
            ),
        ),
        Sample(
            "the portal in Japanese, under any name",
            "notes.txt",
            "エラー コード: UserErrorMadeUp\nエラー メッセージ: 失敗しました。\n推奨される操作: 再試行\n".encode(),
            ({"error_code": "UserErrorMadeUp", "error_message": "失敗しました。", "recommendations": "再試行"},),
        ),
        Sample(
            "a list of PowerShell, with the errors of the job",
            "job.txt",
            (
                "\r\nIsCancellable        : False\r\n"
                "ErrorDetails         : {Microsoft.Azure.Commands.Models.AzureVmJobErrorInfo}\r\n"
                "JobId                : 33333333-0000-0000-0000-000000000000\r\n"
                "Operation            : Backup\r\nStatus               : Failed\r\n"
                "WorkloadName         : vm07\r\n"
                "StartTime            : 13/03/2026 22:00:04\r\nEndTime              : 13/03/2026 22:21:40\r\n"
                "Duration             : 00:21:36.5308650\r\nBackupManagementType : AzureVM\r\n\r\n"
                "ErrorCode       : 400239\r\nErrorMessage    : It did not\r\n                  work.\r\n"
                "Recommendations : {Do this.}\r\n"
            ).encode("utf-16"),
            (
                {
                    "kind": "job",
                    "@timestamp": datetime(2026, 3, 13, 22, 21, 40, tzinfo=UTC),
                    "operation": "Backup",
                    "status": "Failed",
                    "duration": 1296,
                    "item": "vm07",
                },
                {
                    "kind": "error",
                    "@timestamp": datetime(2026, 3, 13, 22, 21, 40, tzinfo=UTC),
                    "error_code": "400239",
                    "error_message": "It did not work.",
                    "item": "vm07",
                },
                {"kind": "last_backup", "last_backup_status": "Failed", "@timestamp": None},
            ),
        ),
        Sample(
            "a table of PowerShell",
            "jobs.txt",
            b"WorkloadName     Operation   Status     StartTime              EndTime                JobID\n"
            b"------------     ---------   ------     ---------              -------                -----\n"
            b"vm07             Backup      Failed     2026-03-01 22:00:04Z   2026-03-01 22:21:40Z   "
            b"44444444-0000-0000-0000-000000000000\n"
            b"vm08             Backup      InProgress 2026-03-01 23:00:04Z                          "
            b"55555555-0000-0000-0000-000000000000\n",
            (
                {"item": "vm07", "status": "Failed", "end": datetime(2026, 3, 1, 22, 21, 40, tzinfo=UTC)},
                {
                    "item": "vm08",
                    "status": "InProgress",
                    "@timestamp": datetime(2026, 3, 1, 23, 0, 4, tzinfo=UTC),
                    "job_id": "55555555-0000-0000-0000-000000000000",
                },
            ),
        ),
        Sample(
            "what az prints when it fails",
            "az-error.txt",
            b"(UserErrorMadeUp) It did not work.\nCode: UserErrorMadeUp\nMessage: It did not work.\n",
            ({"error_code": "UserErrorMadeUp", "error_message": "It did not work."},),
        ),
        Sample(
            "what az prints of an answer without keys",
            "vm.json",
            b"WARNING: made up\nERROR: (MadeUpNotFound) There is no such thing.\n",
            ({"kind": "error", "error_code": "MadeUpNotFound", "error_message": "There is no such thing."},),
            rejected=1,
        ),
        Sample(
            "a job of the portal in Italian",
            "processo backup.txt",
            "Operazione: Backup\nStato: Non riuscita\nNome macchina virtuale: vm07\n"
            "Ora di inizio: 13/03/2026 22:00:04\nOra di fine: 13/03/2026 22:21:40\n"
            "Codice errore: UserErrorMadeUp\nMessaggio di errore: Non è riuscito.\n".encode(),
            (
                {
                    "kind": "job",
                    "operation": "Backup",
                    "status": "Failed",
                    "item": "vm07",
                    "end": datetime(2026, 3, 13, 22, 21, 40, tzinfo=UTC),
                },
                {"kind": "error", "error_code": "UserErrorMadeUp", "item": "vm07"},
                {"kind": "last_backup", "last_backup_status": "Failed"},
            ),
        ),
        Sample(
            "a message by itself",
            "portal_error.txt",
            b"The backup of the VM did\nnot work.\n\nLater it did.\n",
            (
                {"kind": "error", "error_code": None, "error_message": "The backup of the VM did not work."},
                {"kind": "error", "error_message": "Later it did."},
            ),
        ),
        Sample(
            "a table of Markdown",
            "portal-error.txt",
            b"Error Code | UserErrorMadeUp\n\nError Message | It did not work.\n\nRecommended Action | Do this.\n",
            ({"error_code": "UserErrorMadeUp", "error_message": "It did not work.", "recommendations": "Do this."},),
        ),
        Sample(
            "keys in brackets",
            "message.txt",
            b"**[Error code]**\nUserErrorMadeUp\n**[Error message]**\nIt did not work.\n",
            ({"error_code": "UserErrorMadeUp", "error_message": "It did not work."},),
        ),
        Sample(
            "keys in brackets from the first letter on",
            "control-plane/portal-error.txt",
            b"[Error code]\nUserErrorMadeUp\n\n[Warning message]\nIt did not work.\n\n[Recommended action]\nDo this.\n",
            ({"error_code": "UserErrorMadeUp", "error_message": "It did not work.", "recommendations": "Do this."},),
        ),
        Sample(
            "a sentence that a console broke",
            "control-plane/deployment-error.txt",
            b"New-Deployment : Handler 'Contoso.Watcher' has reported failure for VM Extension 'Watcher' with error \n"
            b"message: 'Install failed for plugin'\n",
            (
                {
                    "error_message": "New-Deployment : Handler 'Contoso.Watcher' has reported failure for VM Extension "
                    "'Watcher' with error\nmessage: 'Install failed for plugin'"
                },
            ),
        ),
        Sample(
            "a refusal of Azure, as Terraform draws it, under any name",
            "notes.txt",
            "│ Error: The scope 'vm07' cannot perform delete operation because following scope(s) are locked: '/x'.\n"
            '│ Say \\"why\\".\n'.encode(),
            (
                {
                    "kind": "error",
                    "error_message": "Error: The scope 'vm07' cannot perform delete operation because following "
                    "scope(s) are locked: '/x'. Say \"why\".",
                },
            ),
        ),
        Sample(
            "a code by itself",
            "portal.txt",
            b"The job of last night says\nUserErrorMadeUp - It did not work.\n",
            ({"error_code": "UserErrorMadeUp", "error_message": "It did not work."},),
            rejected=1,
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the keys at the beginning of lines; a code by itself counts only under a fitting name."""
        text = console_head(head)
        named = _NAMED.search(path.replace("\\", "/")) is not None
        if _TABLE.search(text) or (_JOB.search(text) and re.search(r"(?im)^Operation\s*:", text)):
            return Claim(70 if named else 52, "built like backup jobs of PowerShell")
        if text.lstrip().startswith(("{", "[")) and not _CODE_LINE.match(text.lstrip()):
            return None
        if _CODE_LINE.search(text) and _TEXT_LINE.search(text):
            return Claim(66 if named else 34, "has the error code and message of a job as lines")
        if _REFUSED.match(text):
            return Claim(40, "begins with the code of an answer, as az prints it")
        if named and (_CODE_LINE.search(text) or _BARE.search(text)):
            return Claim(36, "named like an error and holds a code")
        if _OWN_NAME.search(path.replace("\\", "/")) and (_PROSE.search(text) or _REFUSAL.search(text)):
            return Claim(30, "named like an error, and speaks of backups")
        if _REFUSAL.search(text) and len(head) < _LONGEST_TOLD and not _LOG_LINE.search(text):
            return Claim(28, "tells how Azure refused a call")
        if (
            _OWN_NAME.search(path.replace("\\", "/"))
            and len(head) < _LONGEST_TOLD
            and not _LOG_LINE.search(text)
            and len(text.split()) > 3
        ):
            return Claim(18, "named like an error")
        return None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """Tables by their rulers, all else by its keys."""
        lines = console_lines(source.data)
        dates = date_reader(_dates(lines), _language(lines), context.time_zone)
        rows: list[Row] = []
        rejected: list[Rejected] = []
        rest: list[Line] = []
        place = 0
        while place < len(lines):
            if place + 1 < len(lines) and _TABLE.match(lines[place].text) and _RULER.match(lines[place + 1].text):
                place = _table(lines, place, dates, rows)
                continue
            rest.append(lines[place])
            place += 1
        _keys(rest, dates, rows, rejected)
        if not rows:
            rows, rejected = [_told(run) for run in paragraphs(lines)], []
        rows.sort(key=lambda row: int(str(row["log.line"])))
        rows = list(completed_jobs(Whole(rows, cited(lines[-1:]) if lines else {}, complete=True)))
        own = {"@timestamp": TIMESTAMP, "time.assumed": pl.String(), **JOB_COLUMNS}
        return listing(source, self.logsource, lines, rows, own, rejected)


def _told(run: Sequence[Line]) -> Row:
    """A message without any key; of JSON text without its backslashes."""
    text = _plain(" ".join(line.text.strip() for line in run))
    return {**cited(run), "kind": "error", "error_message": text, "message": text}


def _plain(text: str) -> str:
    """Text as it was before it was put into JSON, and without the bars that Terraform draws beside it."""
    for written, meant in (('\\"', '"'), ("\\r\\n", " "), ("\\n", " "), ("\\u0027", "'"), ("│", " "), ("\\\\", "\\")):
        text = text.replace(written, meant)
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def _dates(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        if re.search(r"\d[:.]\d\d", line.text):
            for found in re.finditer(DATE, line.text[:1000], re.IGNORECASE):
                yield found[0]


def _language(lines: Sequence[Line]) -> str | None:
    words = re.compile(r"\b(?:errore|consigliata|consigliate|operazione|stato)\b", re.IGNORECASE)
    return "it" if any(words.search(line.text) for line in lines) else None


def _table(lines: Sequence[Line], head: int, dates: DateReader, rows: list[Row]) -> int:
    """Reads a table that begins here, and says where it ends."""
    starts = [found.start() for found in re.finditer(r"-+", lines[head + 1].text)]
    ends = [*starts[1:], None]
    cells = [lines[head].text[start:end].strip().casefold() for start, end in zip(starts, ends, strict=True)]
    columns = [_TABLE_COLUMNS.get(cell) for cell in cells]
    place = head + 2
    while place < len(lines) and not lines[place].blank:
        text = lines[place].text
        values = {
            name: text[start:end].strip()
            for name, start, end in zip(columns, starts, ends, strict=True)
            if name is not None and text[start:end].strip()
        }
        job = _GUID.search(text)
        if job is not None:
            values["job_id"] = job[0]
        rows.append(_job(values, dates) | cited([lines[place]]))
        place += 1
    return place


@dataclass(slots=True)
class _Block:
    """What was told under keys, with the lines."""

    values: dict[str, str] = field(default_factory=dict)
    told: str | None = None  # the code, where it stood in front of its message without a key
    lines: list[Line] = field(default_factory=list)


def _keys(lines: Sequence[Line], dates: DateReader, rows: list[Row], rejected: list[Rejected]) -> None:
    blocks: list[_Block] = [_Block()]
    current: str | None = None
    before = ""
    for line in lines:
        found = [] if _WRAPPED.search(before) and current is not None else list(_KEY.finditer(line.text))
        before = line.text
        if not found:
            bare = _BARE.match(line.text) if current is None or "error_code" in blocks[-1].values else None
            if bare is not None and blocks[-1].values.get("error_code") not in (None, bare["code"]):
                bare = None
            if bare is not None and current is None:
                blocks.append(_Block({"error_code": bare["code"]}, bare["code"], [line]))
                if told := line.text[bare.end() :].strip(" -:)\u2013\t"):
                    blocks[-1].values["error_message"] = told
                current = "error_message"
            elif current is not None:
                _go_on(blocks[-1], current, line)
            elif _REFUSAL.search(line.text) and _WRAPPED.search(line.text):
                blocks.append(_Block({"error_message": line.text.strip()}, None, [line]))
                current = "error_message"
            elif not line.blank:
                rejected.append(Rejected(line, "not a key of a job or an error, and before the first"))
            continue
        if current is None and _REFUSAL.search(line.text[: found[0].start()]):
            blocks.append(
                _Block({"error_message": line.text.strip()}, None, [line])
            )  # a sentence that goes on with keys
            current = "error_message"
            continue
        if current is not None and line.text[: found[0].start()].strip():
            _go_on(blocks[-1], current, line, found[0].start())
        for place, key in enumerate(found):
            column = _COLUMN_OF[key["key"].casefold()]
            end = found[place + 1].start() if place + 1 < len(found) else None
            value = line.text[key.end() : end].strip(" \t*」】")
            if _begins_block(blocks[-1], column, value):
                blocks.append(_Block())
            current = column
            if not blocks[-1].lines or blocks[-1].lines[-1] is not line:
                blocks[-1].lines.append(line)
            blocks[-1].values.setdefault(column, value)
    _finish(blocks, dates, rows, rejected)


_OF_JOB = frozenset({"job_id", "operation", "status", "start", "end", "duration", "item"})
_OF_ERROR = frozenset({"error_code", "error_message", "recommendations"})


def _begins_block(block: _Block, column: str, value: str) -> bool:
    """A key that was there already begins another block; so does an error behind a job, as PowerShell prints them.

    az tells an error in one line, and then again under keys.
    """
    known = block.values.get("error_code", "")
    if column in _OF_ERROR and known and block.told == known and value in ("", known, block.values.get(column)):
        return False
    if column and block.values.get(column):
        return True
    return bool(column in _OF_ERROR and "job_id" in block.values and not _OF_ERROR & block.values.keys())


def _go_on(block: _Block, column: str, line: Line, end: int | None = None) -> None:
    text = line.text[:end].strip(" \t*")
    if not text:
        return
    before = block.values.get(column, "")
    wrapped = line.indent >= 8 and column != "recommendations"
    block.values[column] = f"{before}{' ' if wrapped else chr(10)}{text}" if before else text
    if not block.lines or block.lines[-1] is not line:
        block.lines.append(line)


def _finish(blocks: Sequence[_Block], dates: DateReader, rows: list[Row], rejected: list[Rejected]) -> None:
    job: Row = {}
    used: set[int] = set()
    for block in blocks:
        values = {name: text for name, text in block.values.items() if text}
        if not block.lines:
            continue
        made = []
        if _tells_job(values):
            job = _job(values, dates)
            made.append(job)
        if values.get("error_code") or values.get("error_message"):
            made.append(_error(values, job if job else _job(values, dates)))
        rows += [row | cited(block.lines) for row in made]
        if made:
            used |= {line.number for line in block.lines}
    for line in {line.number: line for block in blocks for line in block.lines}.values():
        if line.number not in used:
            rejected.append(Rejected(line, "keys that say neither a job nor an error"))


def _tells_job(values: Mapping[str, str]) -> bool:
    """Whether keys tell a job: a status by itself beside an error is that of the call that was refused."""
    if not values.keys() & {"operation", "status"}:
        return False
    return bool(values.keys() & {"operation", "job_id", "item", "management"} or not _OF_ERROR & values.keys())


def _job(values: Mapping[str, str], dates: DateReader) -> Row:
    start, end = (dates.read(values[name]) if name in values else (None, None) for name in ("start", "end"))
    status, operation = _word(values.get("status")), _word(values.get("operation"))
    running = is_running(status)
    time = start if running else end if end[0] is not None else (None, None)
    return {
        "kind": kind_of_job(values.get("management")),
        "@timestamp": time[0],
        "time.assumed": time[1],
        "job_id": values.get("job_id"),
        "operation": operation,
        "status": status,
        "start": start[0],
        "end": None if running else end[0],
        "duration": duration_seconds(values.get("duration")),
        "item": values.get("item"),
        "vault": values.get("vault"),
        "activity_id": values.get("activity_id"),
        "message": f"{operation} of {values.get('item') or 'an item'}: {status}",
    }


def _word(text: str | None) -> str | None:
    """A state or an operation as the service calls it."""
    return _WORDS.get(text.strip().casefold(), text.strip()) if text else None


def _error(values: Mapping[str, str], job: Row) -> Row:
    code, told = values.get("error_code"), values.get("error_message")
    advice = values.get("recommendations")
    ours = job.get("kind") != "foreign_job"
    return job | {
        "kind": "error" if ours else "foreign_job",
        "duration": None,
        "error_code": code.split()[0].strip("'\",.;*|") if code and ours else None,
        "error_message": _plain(told) if told and ours else None,
        "recommendations": advice.strip("{}") if advice else None,
        "message": ": ".join(part for part in (code, told) if part),
    }


parser: Parser = BackupJobText()
