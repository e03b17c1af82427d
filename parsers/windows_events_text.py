"""Windows events as text: Event Viewer's copy, ``wevtutil qe /f:text``, ``Get-WinEvent | fl``, older forms, tables.

Known by their labels in six languages, in any other by the order of the lines. The frames are those of an event log, so
that every rule on a channel reads them. A copy that brings the event's XML, too, is read from that.
"""

from __future__ import annotations

import csv
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loganalyzer.evtx.events import Event
from loganalyzer.evtx.messages import event_of
from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_dates import DATE, DateReader, date_reader
from loganalyzer.parser_event_wordings import described_event, provider_of
from loganalyzer.parser_events import LEVEL_WORDS, Printed, printed_frames, text_event, xml_event
from loganalyzer.parser_listing import Line, Rejected, console_head, console_lines, key_value, rejected_lines, unread

_LOGSOURCE = LogSource("windows")

#: Labels of Event Viewer, wevtutil and the forms before Vista: field, then the labels in en, de, fr, it, es, ja.
_LABELS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Channel": (
        *(("en", "log name"), ("de", "protokollname"), ("fr", "nom du journal"), ("it", "nome registro")),
        *(
            ("es", "nombre de registro"),
            ("ja", "ログの名前"),
            ("en", "log"),
            ("pt", "nome do log"),
            ("nl", "logboeknaam"),
        ),
        *(
            ("zh", "日志名称"),
            ("zh", "記錄檔名稱"),
            ("ru", "имя журнала"),
            ("pl", "nazwa dziennika"),
            ("ko", "로그 이름"),
            ("en", "logname"),
        ),
    ),
    "Provider_Name": (
        *(("en", "source"), ("en", "event source"), ("de", "quelle"), ("de", "ereignisquelle")),
        *(("fr", "source de l'événement"), ("it", "origine"), ("it", "origine evento"), ("es", "origen")),
        *(("es", "origen del evento"), ("ja", "ソース"), ("ja", "イベント ソース"), ("en", "provider")),
        *(("pt", "fonte"), ("pt", "origem"), ("nl", "bron"), ("zh", "来源"), ("zh", "來源"), ("ru", "источник")),
        *(("pl", "źródło"), ("ko", "원본"), ("en", "provider name"), ("en", "source name"), ("zh", "事件来源")),
        ("en", "sourcename"),
    ),
    "date": (
        *(("en", "date"), ("de", "datum"), ("it", "data"), ("es", "fecha"), ("ja", "日付")),
        *(("en", "logged"), ("de", "protokolliert"), ("fr", "connecté"), ("es", "registrado"), ("en", "date and time")),
        *(
            ("zh", "日期"),
            ("ru", "дата"),
            ("ko", "날짜"),
            ("en", "timestamp"),
            ("en", "time created"),
            ("fr", "journalisé"),
            ("en", "timegenerated"),
        ),
    ),
    "time": (("en", "time"), ("de", "zeit"), ("de", "uhrzeit"), ("fr", "heure"), ("it", "ora"), ("es", "hora")),
    "EventID": (
        *(("en", "event id"), ("en", "eventid"), ("de", "ereignis-id"), ("de", "ereigniskennung")),
        *(("fr", "id de l'événement"), ("fr", "id événement"), ("it", "id evento"), ("es", "id. del evento")),
        *(("es", "id. de evento"), ("es", "id. evento"), ("ja", "イベント id")),
        *(("pt", "id do evento"), ("pt", "identificação do evento"), ("pt", "id de evento"), ("nl", "gebeurtenis-id")),
        *(("zh", "事件 id"), ("zh", "事件id"), ("zh", "事件識別碼"), ("ru", "код события"), ("ko", "이벤트 id")),
        *(("pl", "identyfikator zdarzenia"), ("de", "ereignis id"), ("en", "event number"), ("fr", "id d'événement")),
        *(
            ("en", "eventcode"),
            ("en", "event code"),
            ("en", "event_id"),
            ("ja", "イベントid"),
            ("es", "id de evento"),
            ("es", "id del evento"),
        ),
    ),
    "Level": (
        *(("en", "level"), ("en", "event type"), ("de", "ebene"), ("de", "ereignistyp"), ("fr", "niveau")),
        *(("fr", "type d'événement"), ("it", "livello"), ("it", "tipo evento"), ("es", "nivel")),
        *(("es", "tipo de evento"), ("ja", "レベル"), ("ja", "イベントの種類"), ("en", "type")),
        *(("pt", "nível"), ("nl", "niveau"), ("zh", "级别"), ("zh", "層級"), ("zh", "等級"), ("ru", "уровень")),
        *(("pl", "poziom"), ("ko", "수준"), ("en", "severity"), ("en", "entry type"), ("de", "stufe")),
    ),
    "Computer": (
        ("en", "computer"),
        ("fr", "ordinateur"),
        ("es", "equipo"),
        ("ja", "コンピューター"),
        ("ja", "コンピュータ"),
        *(("pt", "computador"), ("zh", "计算机"), ("zh", "電腦"), ("ru", "компьютер"), ("pl", "komputer")),
        *(("ko", "컴퓨터"), ("en", "machine"), ("en", "host"), ("en", "server")),
        ("en", "computername"),
    ),
    "User": (
        *(("en", "user"), ("de", "benutzer"), ("fr", "utilisateur"), ("it", "utente"), ("es", "usuario")),
        ("ja", "ユーザー"),
        *(("pt", "usuário"), ("pt", "utilizador"), ("nl", "gebruiker"), ("zh", "用户"), ("zh", "使用者")),
        *(("ru", "пользователь"), ("pl", "użytkownik"), ("ko", "사용자")),
    ),
    "description": (
        *(("en", "description"), ("de", "beschreibung"), ("it", "descrizione"), ("es", "descripción"), ("ja", "説明")),
        ("en", "message"),
        *(
            ("pt", "descrição"),
            ("nl", "beschrijving"),
            ("zh", "描述"),
            ("zh", "说明"),
            ("zh", "說明"),
            ("ru", "описание"),
        ),
        *(("pl", "opis"), ("ko", "설명"), ("en", "details"), ("en", "event description"), ("en", "text")),
    ),
    "task": (
        *(("en", "task category"), ("en", "task"), ("en", "event category"), ("en", "category")),
        *(("de", "aufgabenkategorie"), ("de", "ereigniskategorie"), ("fr", "catégorie de la tâche")),
        *(("fr", "catégorie de l'événement"), ("it", "categoria attività"), ("it", "categoria evento")),
        *(("es", "categoría de la tarea"), ("es", "categoría del evento"), ("ja", "タスクのカテゴリ")),
        *(("pt", "categoria da tarefa"), ("nl", "taakcategorie"), ("zh", "任务类别"), ("zh", "工作類別")),
        *(("ru", "категория задачи"), ("pl", "kategoria zadania"), ("ko", "작업 범주")),
    ),
    "keywords": (
        *(("en", "keywords"), ("en", "keyword"), ("de", "schlüsselwörter"), ("fr", "mots clés")),
        *(("it", "parole chiave"), ("es", "palabras clave"), ("ja", "キーワード")),
        *(("pt", "palavras-chave"), ("nl", "trefwoorden"), ("zh", "关键字"), ("zh", "關鍵字")),
        *(("ru", "ключевые слова"), ("pl", "słowa kluczowe"), ("ko", "키워드")),
    ),
    "opcode": (("en", "opcode"), ("de", "vorgangscode")),
    "user_name": (("en", "user name"),),
    "EventRecordID": (("en", "event record id"), ("en", "record number"), ("en", "record id"), ("en", "recordnumber")),
}
#: Names of properties, which PowerShell never translates (Get-WinEvent, Get-EventLog as a list).
_PROPERTIES = {
    "timecreated": "date",
    "timegenerated": "date",
    "timewritten": "time_written",
    "providername": "Provider_Name",
    "source": "Provider_Name",
    "id": "EventID",
    "eventid": "EventID",
    "eventcode": "EventID",
    "sourcename": "Provider_Name",
    "logfile": "Channel",
    "computername": "Computer",
    "type": "Level",
    "recordnumber": "EventRecordID",
    "instanceid": "instance",
    "message": "description",
    "leveldisplayname": "Level",
    "entrytype": "Level",
    "level": "level_number",
    "logname": "Channel",
    "machinename": "Computer",
    "recordid": "EventRecordID",
    "index": "EventRecordID",
    "userid": "User",
    "processid": "Execution_ProcessID",
    "threadid": "Execution_ThreadID",
    "providerid": "Provider_Guid",
    **dict.fromkeys(
        ("version", "qualifiers", "task", "opcode", "keywords", "activityid", "relatedactivityid"), "other"
    ),
    **dict.fromkeys(("containerlog", "matchedqueryids", "bookmark", "opcodedisplayname", "properties"), "other"),
    **dict.fromkeys(("taskdisplayname", "keywordsdisplaynames", "category", "categorynumber", "username"), "other"),
    **dict.fromkeys(("replacementstrings", "data", "site", "container"), "other"),
    **dict.fromkeys(("categorystring", "eventidentifier", "insertionstrings", "typeevent", "user"), "other"),
}
_BY_LABEL = {label: (name, language) for name, labels in _LABELS.items() for language, label in labels}
_NEW_ORDER = (
    "Channel",
    "Provider_Name",
    "date",
    "EventID",
    "task",
    "Level",
    "keywords",
    "User",
    "Computer",
    "description",
)
_OLD_ORDER = ("Level", "Provider_Name", "task", "EventID", "date", "time", "User", "Computer", "description")

_DATE = re.compile(DATE, re.IGNORECASE)
_DAY = re.compile(r"\d{1,4}[./-]\s?\d{1,2}[./-]\s?\d{2,4}")
_PROPERTY = re.compile(r"^([A-Za-z]{2,24})\s*: ?(.*)$")
_SEPARATOR = re.compile(r"^\s*Event\[\d+\]:?\s*$")
_LEVEL = "|".join(sorted((re.escape(word) for word in LEVEL_WORDS), key=len, reverse=True))
_ONE_LINE = re.compile(
    rf"^(?P<provider>\S.{{0,80}}?)\s+(?P<level>{_LEVEL})\s+(?P<date>{DATE})\s+Event\s?ID\s*:?\s*(?P<id>\d{{1,10}})\b[:\s]*(?P<msg>.*)$",
    re.IGNORECASE,
)
_TABLE_ROW = re.compile(
    rf"^\s*(?P<date>{DATE})\s+(?P<id>\d{{1,6}})\s+(?P<level>{_LEVEL})\s+(?P<msg>\S.*)$", re.IGNORECASE
)
_TABLE_PROVIDER = re.compile(r"^\s*ProviderName:\s*(\S.*?)\s*$")
_RULER = re.compile(r"^\s*(?:-{2,}\s+)+-{2,}\s*$|^TimeCreated\s+Id\s")
_LIST_ROW = re.compile(rf"^(?:{_LEVEL})[\t,;]", re.IGNORECASE)
_CRASH = re.compile(
    r"^[^:\n]{5,70}\s?: [^:,\n]{1,200}\.\w{3}[^:,\n]*, [^:,\n]+\s?: [\d.]+, [^:,\n]+\s?: 0x[0-9A-Fa-f]{8}\s*$"
)
_RUNTIME = re.compile(r"^Application: \S.*\.exe\s*$", re.IGNORECASE)
_BARE = re.compile(r"^The .{2,80} service ")
#: Labels that are words of sentences, too.
_COMMON = frozenset({"log", "type", "text", "task", "details", "data", "host", "server", "machine", "date"})


def _labels_on_a_line(left_out: frozenset[str]) -> re.Pattern[str]:
    labels = {
        label
        for name, named in _LABELS.items()
        if name not in ("time", "opcode", "user_name", "EventRecordID")
        for _, label in named
    }
    words = "|".join(re.escape(label) for label in sorted(labels - left_out, key=len, reverse=True))
    return re.compile(rf"(?:^|(?<=\s))(?P<label>{words})\s{{0,4}}[:：=]", re.IGNORECASE)


#: A line with more than one label of an event, as where line ends were lost: ``Event ID: 24 User: N/A``.
_SEVERAL = _labels_on_a_line(_COMMON)
#: What such a line may have besides: ``Type: Error``.
_SEVERAL_MORE = _labels_on_a_line(frozenset({"data"}))
#: A head of a few words: ``Event 8229, VSS``, ``VSS Event ID 12293``, ``Error: (01/02/2026 03:04) VSS 12289``.
_SOURCES = (
    r"VSS|Vol[Ss]nap|volsnap|SQLWRITER|SQLVDI|SRMSVC|MSSQL(?:SERVER|\$\w+)|ESENT|Service Control Manager|DistributedCOM"
    r"|DCOM|disk|COM\+|Complus|MSDTC(?: \d)?|Microsoft-Windows-[\w-]+|Application Error|\.NET Runtime|CAPI2|Ntfs"
)
_ID_WORDS = (
    r"(?:Event|Ereignis|Événement|Evénement|Evento|イベント|事件|Событие|Fehler|Error|Warning)?[ -]?"
    r"(?:ID|Id|id|Kennung|Code|code|Nr\.?|number|代码|№)?"
)
_SHORT_HEADS = (
    re.compile(rf"^\W{{0,6}}{_ID_WORDS}\s{{0,3}}[:#=]?\s{{0,3}}(?P<id>\d{{1,5}})\s{{0,3}}[,;|(\-–—]\s{{0,3}}"
               rf"(?:(?:source|Quelle|from|by)\s?:?\s)?(?P<source>{_SOURCES})\)?\W{{0,4}}$"),
    re.compile(rf"^\W{{0,6}}(?P<source>{_SOURCES})\s{{0,3}}[,:;|(\-–—]?\s{{0,3}}{_ID_WORDS}\s{{0,3}}[:#=]?\s{{0,3}}"
               rf"(?P<id>\d{{1,5}})\)?\W{{0,4}}$"),
    re.compile(r"^\W{0,6}(?:Windows )?(?:Event|Ereignis|Événement|Evento|イベント|事件)[ -]?(?:ID|Kennung|Code)?\s{0,3}"
               r"[:#=]?\s{0,3}(?P<id>\d{1,5})\W{0,4}$", re.IGNORECASE),
)  # fmt: skip
#: A row of the list of Event Viewer whose columns blanks or bars part.
_VIEWER_ROW = re.compile(
    rf"^[\s|]*(?P<level>{_LEVEL})[\s|]+(?P<date>{DATE})[\s|]+(?P<source>{_SOURCES})[\s|]+(?P<id>\d{{1,5}})"
    r"(?:[\s|]+\S[^\n]{0,60})?[\s|]*$",
    re.IGNORECASE,
)
#: What Windows prints where it does not have an event's message.
_NO_MESSAGE = re.compile(
    r"^\W{0,3}(?:The description for Event ID|Die Beschreibung für Ereignis-ID)[\s('\"„]{1,6}(?P<id>\d{1,10})"
    r"[\s)'\"“]{1,6}"
    r"(?:from source|in Source|aus der Quelle|in Quelle)[\s('\"„]{1,6}(?P<source>\S.{0,80}?)[\s)'\"“]{1,6}"
    r"(?:cannot be found|could not be found|wurde nicht gefunden)",
    re.IGNORECASE,
)
_BINARY = re.compile(r"^\s*(?:Data|Daten|Données|Dati|Datos|データ)\s?:\s*$", re.IGNORECASE)
_HEX_DUMP = re.compile(r"^\s*[0-9A-Fa-f]{4}: (?:[0-9A-Fa-f]{2} )+")
#: Marks of Markdown and quotes around a label.
_ORNAMENT = " \t*_>|#-\"'`•·【】[]"
#: Fields that may follow the line that an event is known by.
_LATE = ("Level", "Computer", "User", "task", "keywords", "Channel")
_KNOWN_SOURCES = frozenset(
    {
        *(
            "vss",
            "volsnap",
            "sqlwriter",
            "sqlvdi",
            "srmsvc",
            "esent",
            "mssqlserver",
            "service control manager",
            "com+",
            "complus",
        ),
        *("event system", "eventsystem", "msdtc", "distributedcom", "dcom", "disk", "ntfs", "application error"),
    }
)
_XML = re.compile(r"<Event\s[^>]*>.*?</Event>", re.DOTALL)
_XML_LABEL = re.compile(
    r"^\s*(?:Event Xml|Ereignis-XML|XML de l'événement|XML evento|XML de evento|イベント XML)\s?:\s*$", re.I
)
_PREFILTER = re.compile(
    r"^\W{0,8}(?:"
    + "|".join(re.escape(label) for _, label in (*_LABELS["EventID"], ("", "id")))
    + r")[\s*\]'\"]{0,20}[:：=|][\s*\"']{0,12}-?\d|Event\s?ID\s*:?\s*\d|^TimeCreated\s+Id\s"
    + r"|^[^:\n]{5,70}\s?: [^:,\n]{1,200}\.exe, "
    + r"|^The .{2,80} service (?:terminated|failed to start|entered|hung|depends|was unable)"
    + r"|^Application: \S|^[^:\n]{2,40}:[^\n]*\n[^:\n]{2,40}:[^\n]*\n[^:\n]{2,40}:[^\n]*\n[^:\n]{2,40}:\s*\d+\s*$"
    + r"|^\W{0,3}(?:The description for Event ID|Die Beschreibung für Ereignis-ID)\W"
    + rf"|^(?:{_LEVEL})[\t,;]|^.{{0,60}}\b(?:{_SOURCES})\b.{{0,40}}\b\d{{1,5}}\b",
    re.IGNORECASE | re.MULTILINE,
)
_NAME = r"(?:^|[/!])[^/!]*(?:event|evt|system|application|security|error|winevent)[^/!]*\.(?:txt|log|csv|tsv|out)$"


@dataclass(slots=True)
class _Found:
    """An event that is being read: its System fields as shown, the lines of its description, all its lines."""

    fields: dict[str, str]
    lines: list[Line]
    body: list[str] = field(default_factory=list)
    language: str | None = None
    is_list: bool = False
    is_bare: bool = False
    is_wording: bool = False


@dataclass(frozen=True, slots=True)
class _Header:
    fields: dict[str, str]
    end: int
    language: str | None
    is_list: bool


_VIEWER = (
    "Log Name:      System\r\nSource:        Service Control Manager\r\nDate:          5/6/2024 7:08:01 PM\r\n"
    "Event ID:      7036\r\nTask Category: None\r\nLevel:         Information\r\nKeywords:      Classic\r\n"
    "User:          N/A\r\nComputer:      vm07.contoso.example\r\nDescription:\r\n"
    "The RdAgent service entered the stopped state.\r\n\r\n"
    "Log Name:      Application\r\nSource:        VSS\r\nDate:          5/6/2024 7:09:00 PM\r\nEvent ID:      12292\r\n"
    "Level:         Error\r\nDescription:\r\n"
    "Volume Shadow Copy Service error: Error creating the Shadow Copy Provider COM class with CLSID "
    "{00000000-1111-2222-3333-444444444444} [0x80080005].\r\n\r\nOperation:\r\n   Creating instance of a provider\r\n"
)
_GERMAN = (
    "Protokollname: System\r\nQuelle:        Service Control Manager\r\nDatum:         06.05.2024 19:08:01\r\n"
    "Ereignis-ID:   7000\r\nAufgabenkategorie:Keine\r\nEbene:         Fehler\r\nSchlüsselwörter:Klassisch\r\n"
    "Benutzer:      Nicht zutreffend\r\nComputer:      vm07\r\nBeschreibung:\r\n"
    'Der Dienst "RdAgent" wurde wegen folgenden Fehlers nicht gestartet: \r\nZugriff verweigert\r\n'
)
_WEVTUTIL = (
    "Event[0]:\n  Log Name: Application\n  Source: VSS\n  Date: 2024-05-06T07:08:01.250\n  Event ID: 8193\n"
    "  Task: N/A\n  Level: Error\n  Opcode: Info\n  Keyword: Classic\n  User: N/A\n  User Name: N/A\n  Computer: vm07\n"
    "  Description: \nVolume Shadow Copy Service error: Unexpected error calling routine CoCreateInstance.  "
    "hr = 0x80040154, Class not registered\n.\n\nOperation:\n   Instantiating VSS server\n\n"
)
_POWERSHELL = (
    "\r\n\r\nTimeCreated  : 5/16/2024 7:08:01 AM\r\nProviderName : Application Error\r\nId           : 1000\r\n"
    "Message      : Faulting application name: IaaSBcdrExtension.exe, version: 1.0.92.0, time stamp: 0x5f000000\r\n"
    "               Faulting module name: hook64.dll, version: 3.2.1.0, time stamp: 0x5e000000\r\n"
    "               Exception code: 0xc0000005\r\n               Fault offset: 0x0000000000001234\r\n"
    "               Faulting process id: 0x1f4\r\n"
    "               Faulting application start time: 0x01da000000000000\r\n\r\n"
    "TimeCreated  : 5/17/2024 7:08:01 AM\r\nProviderName : disk\r\nId           : 7\r\n"
    "Message      : The device, \\Device\\Harddisk1\\DR1, has a bad block.\r\n"
)
_OLD = (
    "Event Type:\tWarning\r\nEvent Source:\tVSS\r\nEvent Category:\tNone\r\nEvent ID:\t12290\r\nDate:\t\t13/05/2009\r\n"
    "Time:\t\t07:08:01\r\nUser:\t\tN/A\r\nComputer:\tVM07\r\nDescription:\r\nVolume Shadow Copy Service warning: "
    "ESENT ERROR Contoso writer.  hr = 0x00000000.\r\n\r\nData:\r\n0000: 2d 20 43 6f   - Co\r\n"
)
_TABLES = (
    "   ProviderName: volsnap\n\nTimeCreated                     Id LevelDisplayName Message\n"
    "-----------                     -- ---------------- -------\n"
    "5/16/2024 7:08:01 AM            25 Error            The shadow copies of volume C: were deleted.\n\n"
    "VSS Error 05/17/2024 8:23:12 AM EventID: 8193 Volume Shadow Copy Service error: Unexpected error calling routine "
    "Cannot find diff areas. hr = 0x8000ffff, Catastrophic failure.\n"
    "Error\t5/18/2024 8:24:12 AM\tdisk\t11\tNone\tThe driver detected a controller error on \\Device\\Harddisk1\\DR1.\n"
)


@dataclass(frozen=True, slots=True)
class WindowsEventsText:
    """Printed events, as frames of their channels."""

    name: str = "windows_events_text"
    title: str = "Windows events as text: Event Viewer, wevtutil, Get-WinEvent, tables"
    logsource: LogSource = _LOGSOURCE
    strongest: int = 70
    paths: tuple[str, ...] = ("wevtutil qe System /f:text > system_events.txt", "Get-WinEvent ... | fl > events.txt")
    samples: tuple[Sample, ...] = (
        Sample(
            "copied from Event Viewer",
            "events.txt",
            _VIEWER.encode(),
            (
                {
                    "@timestamp": None,
                    "EventID": "7036",
                    "Provider_Name": "Service Control Manager",
                    "Channel": "System",
                    "Level": "4",
                    "log.level": "Information",
                    "Computer": "vm07.contoso.example",
                    "param1": "RdAgent",
                    "param2": "stopped",
                    "message": "Service Control Manager 7036: param1=RdAgent; param2=stopped",
                    "log.line": 1,
                }
                | {"@timestamp": datetime(2024, 5, 6, 19, 8, 1, tzinfo=UTC)},
                {"EventID": "12292", "Channel": "Application", "clsid": "{00000000-1111-2222-3333-444444444444}"},
            ),
        ),
        Sample(
            "copied from a German Event Viewer",
            "ereignisse.txt",
            _GERMAN.encode("cp1252"),
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 19, 8, 1, tzinfo=UTC),
                    "EventID": "7000",
                    "Level": "2",
                    "Channel": "System",
                    "Data": 'Der Dienst "RdAgent" wurde wegen folgenden Fehlers nicht gestartet:\nZugriff verweigert',
                },
            ),
        ),
        Sample(
            "wevtutil as text",
            "vm/app_errors.txt",
            _WEVTUTIL.encode(),
            (
                {
                    "@timestamp": datetime(2024, 5, 6, 7, 8, 1, 250_000, tzinfo=UTC),
                    "EventID": "8193",
                    "routine": "CoCreateInstance",
                    "hr": "0x80040154, Class not registered",
                },
            ),
        ),
        Sample(
            "a list of PowerShell",
            "winevent.txt",
            _POWERSHELL.encode("utf-16"),
            (
                {
                    "@timestamp": datetime(2024, 5, 16, 7, 8, 1, tzinfo=UTC),
                    "EventID": "1000",
                    "Channel": "Application",
                    "AppName": "IaaSBcdrExtension.exe",
                    "ModuleName": "hook64.dll",
                    "ExceptionCode": "c0000005",
                },
                {"EventID": "7", "Channel": "System", "device": "\\Device\\Harddisk1\\DR1"},
            ),
        ),
        Sample(
            "the form before Windows Vista",
            "old_events.txt",
            _OLD.encode(),
            (
                {
                    "@timestamp": datetime(2009, 5, 13, 7, 8, 1, tzinfo=UTC),
                    "EventID": "12290",
                    "Level": "3",
                    "Computer": "VM07",
                    "Data": "ESENT ERROR Contoso writer\n0x00000000\n",
                },
            ),
        ),
        Sample(
            "tables and single lines",
            "system_errors.txt",
            _TABLES.encode(),
            (
                {"EventID": "25", "Provider_Name": "volsnap", "Channel": "System", "Level": "2"},
                {"EventID": "11", "Provider_Name": "disk", "device": "\\Device\\Harddisk1\\DR1"},
                {"EventID": "8193", "Channel": "Application", "routine": "Cannot find diff areas"},
            ),
        ),
        Sample(
            "a description alone",
            "crash.txt",
            b"Faulting application name: WindowsAzureGuestAgent.exe, version: 2.7.1.1, time stamp: 0x93a67af3\n"
            b"Faulting module name: KERNELBASE.dll, version: 6.1.1.1, time stamp: 0x6577e56b\n"
            b"Exception code: 0xe0434352\nFault offset: 0x000000000000b85d\nFaulting process id: 0x161c\n\n"
            b"Application: WindowsAzureGuestAgent.exe\nFramework Version: v4.0.30319\n"
            b"Description: The process was terminated due to an unhandled exception.\n"
            b"Exception Info: System.DllNotFoundException\n",
            (
                {"EventID": "1000", "Provider_Name": "Application Error", "AppName": "WindowsAzureGuestAgent.exe"},
                {"EventID": "1026", "Provider_Name": ".NET Runtime", "@timestamp": None},
            ),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By an event in the first lines; the name alone says nothing."""
        lines = console_lines(head)[:400]
        if not _PREFILTER.search(console_head(head)) and not any(described_event(line.text) for line in lines):
            return None
        found, _ = _read(lines)
        if not found:
            return None
        named = re.search(_NAME, path.replace("\\", "/"), re.IGNORECASE)
        if all(one.is_bare for one in found) and any(one.is_wording for one in found):
            return Claim(42 if named else 26, "holds descriptions of Windows events")
        return Claim(70 if named else 51, "holds Windows events as text")

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an event; a local time is read in the given zone, or as UTC, and says so."""
        lines = console_lines(source.data)
        found, rest = _read(lines)
        if not found and source.data.strip():
            return rejected_whole(source, "no Windows event in it: no event id with a source")
        dates = [_date_of(one.fields) for one in found]
        language = next((one.language for one in found if one.language not in (None, "en")), None)
        reader = date_reader(dates, language, context.time_zone)
        printed = [row for one, date in zip(found, dates, strict=True) if (row := _printed(one, date, reader))]
        rejected = rejected_lines([*rest, *unread(source, lines)])
        lost = int(rejected["log.length"].sum())
        return Parsed(printed_frames(printed, source), source.size - lost, len(lines), rejected, rejected_bytes=lost)


def _read(lines: Sequence[Line]) -> tuple[list[_Found], list[Rejected]]:
    """Events in their order, and lines that belong to none."""
    found: list[_Found] = []
    rest: list[Rejected] = []
    provider: str | None = None
    place = 0
    while place < len(lines):
        line = lines[place]
        current = found[-1] if found else None
        header = None if current is not None and _goes_on(current, line) else _header_at(lines, place)
        if header is not None:
            end = header.end
            found.append(_Found(header.fields, list(lines[place:end]), [], header.language, header.is_list))
            place = end
            continue
        if table := _TABLE_PROVIDER.match(line.text):
            provider = table[1]
        elif (single := _single_line(line, provider)) or (single := _bare(lines, place, current)):
            found.append(single)
        elif current is None or _SEPARATOR.match(line.text) or _RULER.match(line.text):
            if not line.blank and not _SEPARATOR.match(line.text) and not _RULER.match(line.text):
                rest.append(Rejected(line, "belongs to no event"))
        else:
            _take(current, line)
        place += 1
    return found, rest


def _goes_on(current: _Found, line: Line) -> bool:
    """Whether a line is a further property of the event that is being read."""
    known = _property(line.text) if current.is_list else None
    return known is not None and known[0] not in current.fields


def _take(current: _Found, line: Line) -> None:
    current.lines.append(line)
    known = _property(line.text) if current.is_list and line.indent == 0 else None
    if known is not None and known[0] not in current.fields:
        current.fields[known[0]] = known[1]
        return
    label = _label(line.text)
    if label is not None and label[0] == "description" and not any(text.strip() for text in current.body):
        current.body.append(label[1])
    elif label is not None and label[0] in _LATE and label[0] not in current.fields and not current.body:
        current.fields[label[0]] = label[1]
    else:
        current.body.append(line.text)


def _property(text: str) -> tuple[str, str] | None:
    found = _PROPERTY.match(text)
    name = _PROPERTIES.get(found[1].lower()) if found else None
    if found is None or name is None:
        return None
    return (f"other {found[1]}" if name == "other" else name, found[2].strip())


def _label(text: str) -> tuple[str, str, str] | None:
    """Field, value and language of a line that begins with a known label."""
    for mark in (":", "：", "="):
        pair = key_value(text, mark)
        if pair is None or len(pair[0]) > 40:
            continue
        name = pair[0].strip(_ORNAMENT)
        known = _BY_LABEL.get(name.casefold().replace("\u00a0", " ").replace("’", "'"))
        if known is None or (name.casefold() == "data" and not _DAY.match(pair[1])):
            continue
        return known[0], pair[1].lstrip("* \t"), known[1]
    return None


def _labels(text: str) -> list[tuple[str, str, str]]:
    """All labels of a line with what follows each; behind a description nothing is a label."""
    first = _label(text)
    if first is None or first[0] == "description":
        return [first] if first else []
    if len(list(_SEVERAL.finditer(text))) < 2:
        return [first]
    marks = list(_SEVERAL_MORE.finditer(text))
    found: list[tuple[str, str, str]] = []
    for place, mark in enumerate(marks):
        name, language = _BY_LABEL[mark["label"].casefold()]
        if any(name == other for other, _, _ in found):
            return [first]
        last = name == "description" or place + 1 == len(marks)
        found.append((name, text[mark.end() : None if last else marks[place + 1].start()].strip(), language))
        if last:
            break
    return found if found[0][0] == first[0] else [first]


def _header_at(lines: Sequence[Line], place: int) -> _Header | None:
    """The System fields that stand here line by line; None: no event begins here."""
    if not any(mark in lines[place].text for mark in ":：="):
        return _by_short_head(lines, place)
    return (
        _by_labels(lines, place)
        or _by_order(lines, place)
        or _by_properties(lines, place)
        or _by_short_head(lines, place)
    )


def _by_short_head(lines: Sequence[Line], place: int) -> _Header | None:
    """An event of which a number and a source head the message, or a number that its message confirms."""
    text = lines[place].text.strip()
    if len(text) > 120 or not any(letter.isdigit() for letter in text):
        return None
    found = next((one for pattern in _SHORT_HEADS if (one := pattern.match(text))), None)
    if found is None:
        return None
    source = found.groupdict().get("source") or provider_of(found["id"], _behind(lines, place + 1))
    if source is None or not _behind(lines, place + 1).strip():
        return None
    return _Header({"Provider_Name": source, "EventID": found["id"]}, place + 1, None, False)


def _behind(lines: Sequence[Line], place: int) -> str:
    """The next lines, up to where another event begins."""
    kept: list[str] = []
    for line in lines[place : place + 12]:
        if any(label[0] == "EventID" for label in _labels(line.text)):
            break
        kept.append(line.text)
    return "\n".join(kept)


def _by_order(lines: Sequence[Line], place: int) -> _Header | None:
    """Any language: the fourth line is the id, and a date stands third, or fifth in the older form."""
    pairs = []
    for line in lines[place : place + 10]:
        pair = key_value(line.text)
        if pair is None or len(pair[0]) > 40:
            break
        pairs.append(pair)
    if len(pairs) < 8 or not re.fullmatch(r"-?\d{1,10}", pairs[3][1]):
        return None
    order = _NEW_ORDER if _DAY.match(pairs[2][1]) else _OLD_ORDER if _DAY.match(pairs[4][1]) else None
    if order is None:
        return None
    languages = [known[1] for key, _ in pairs if (known := _BY_LABEL.get(key.casefold()))]
    count = min(len(order), len(pairs))
    fields = {name: value for name, (_, value) in zip(order, pairs[:count], strict=False)}
    language = next((one for one in languages if one != "en"), "en" if languages else None)
    return _Header(fields, place + count, language, False)


def _by_labels(lines: Sequence[Line], place: int) -> _Header | None:
    """Known labels in any order, on one line or many, with their values behind or below them."""
    fields: dict[str, str] = {}
    languages = []
    end = place
    while end < len(lines) and "description" not in fields:
        labels = _labels(lines[end].text)
        if not labels and fields and lines[end].blank and _goes_on_below(lines, end, fields):
            end += 1
            continue
        if not labels or any(name in fields for name, _, _ in labels):
            break
        for name, value, language in labels:
            fields[name] = value
            languages.append(language)
        end += 1
        last = labels[-1][0]
        if last != "description" and not fields[last] and end < len(lines) and _is_value(lines[end].text):
            fields[last] = lines[end].text.strip()
            end += 1
    shown = re.match(r"\W{0,3}(-?\d{1,10})(?:\W|$)", fields.get("EventID", ""))
    if shown is None:
        return None
    fields["EventID"] = shown[1]
    language = next((one for one in languages if one != "en"), "en")
    if {"Provider_Name", "Channel"} & fields.keys():
        enough = len(fields) >= 3 or fields.get("Provider_Name", "").casefold() in _KNOWN_SOURCES
        return _Header(fields, end, language, False) if enough else None
    told = f"{fields.get('description', '')}\n{_behind(lines, end)}"
    provider = provider_of(shown[1], told)
    return _Header({**fields, "Provider_Name": provider}, end, language, False) if provider else None


def _goes_on_below(lines: Sequence[Line], place: int, fields: Mapping[str, str]) -> bool:
    """Whether behind one blank line further fields of the same event stand."""
    following = _labels(lines[place + 1].text) if place + 1 < len(lines) else []
    return bool(following) and "EventID" not in fields and all(name not in fields for name, _, _ in following)


def _is_value(text: str) -> bool:
    return bool(text.strip()) and len(text) < 80 and not _labels(text)


def _by_properties(lines: Sequence[Line], place: int) -> _Header | None:
    """A list of PowerShell; the message may come first and go on over many lines."""
    first = _property(lines[place].text)
    if first is None or lines[place].indent > 0:
        return None
    fields: dict[str, str] = {}
    for line in lines[place : place + 200]:
        known = _property(line.text) if line.indent == 0 else None
        if known is not None and known[0] in fields:
            break
        if known is not None:
            fields[known[0]] = known[1]
    if not re.fullmatch(r"-?\d{1,20}", fields.get("EventID", fields.get("instance", ""))):
        return None
    if not {"Provider_Name", "Channel"} & fields.keys() or "description" not in fields:
        return None
    return _Header({first[0]: first[1]}, place + 1, None, True)


def _single_line(line: Line, provider: str | None) -> _Found | None:
    """An event on one line: a row of a table or a list, or the words of a mail."""
    if found := _ONE_LINE.match(line.text):
        fields = {"Provider_Name": found["provider"], "Level": found["level"]}
        return _Found(fields | {"date": found["date"], "EventID": found["id"]}, [line], [found["msg"]])
    if provider is not None and (found := _TABLE_ROW.match(line.text)):
        fields = {"Provider_Name": provider, "Level": found["level"]}
        return _Found(fields | {"date": found["date"], "EventID": found["id"]}, [line], [found["msg"]])
    if found := _VIEWER_ROW.match(line.text):
        fields = {"Provider_Name": found["source"], "Level": found["level"]}
        return _Found(fields | {"date": found["date"], "EventID": found["id"]}, [line])
    if _LIST_ROW.match(line.text):
        mark = next(one for one in line.text if one in "\t,;")
        cells = next(csv.reader([line.text], delimiter=mark), [])
        if len(cells) >= 4 and cells[3].strip().isdigit() and _DAY.match(cells[1].strip()):
            fields = {
                "Level": cells[0],
                "date": cells[1].strip(),
                "Provider_Name": cells[2],
                "EventID": cells[3].strip(),
            }
            return _Found(fields, [line], cells[5:6])
    return None


def _bare(lines: Sequence[Line], place: int, current: _Found | None) -> _Found | None:
    """An event of which only the description was copied, where that says which event it is."""
    if current is not None and not current.is_bare:
        return None
    text = lines[place].text
    if current is not None and len(current.body) == 1 and _CRASH.match(text):
        return None  # the module, behind the program
    if found := _NO_MESSAGE.match(text):
        fields = {"Provider_Name": found["source"], "EventID": found["id"]}
    elif _CRASH.match(text):
        fields = {"Provider_Name": "Application Error", "EventID": "1000", "Level": "2"}
    elif _RUNTIME.match(text) and any("Framework" in line.text for line in lines[place + 1 : place + 3]):
        near = " ".join(line.text for line in lines[place : place + 6])
        event_id = "1023" if "internal error in the .NET Runtime" in near else "1026"
        fields = {"Provider_Name": ".NET Runtime", "EventID": event_id, "Level": "2"}
    elif _BARE.match(text) and (known := event_of("\n".join(line.text for line in lines[place : place + 4]))):
        fields = {"Provider_Name": known[0], "EventID": known[1]}
    elif told := described_event("\n".join(line.text for line in lines[place : place + 2])):
        if told.start > len(text):
            return None  # it begins on the next line
        fields = {"Provider_Name": told.provider, "EventID": told.event_id, "Level": told.level}
        return _Found(fields, [lines[place]], [text[told.start :]], is_bare=True, is_wording=True)
    else:
        return None
    return _Found(fields, [lines[place]], [text], is_bare=True)


def _date_of(fields: Mapping[str, str]) -> str:
    return f"{fields.get('date', '')} {fields.get('time', '')}".strip()


def _printed(found: _Found, date: str, reader: DateReader) -> Printed | None:
    """The event, from its XML where the text brings it."""
    original = "\n".join(line.text for line in found.lines).rstrip()
    first, last = found.lines[0], found.lines[-1]
    length = last.offset + last.length - first.offset
    xml = _XML.search(original)
    event: Event | None = xml_event(xml[0]) if xml else None
    if event is not None:
        return Printed(event, first.number, first.offset, length)
    time, assumed = reader.read(date)
    fields = dict(found.fields)
    fields.setdefault("EventID", fields.get("instance", ""))
    fields.setdefault("Level", fields.get("level_number", ""))
    user = re.search(r"S-1-[\d-]+", fields.get("User", ""))
    if user:
        fields["Security_UserID"] = user[0]
    event = text_event(fields, time, _description(found), original)
    return None if event is None else Printed(event, first.number, first.offset, length, assumed)


def _description(found: _Found) -> str:
    """What was printed behind the fields, without binary data, XML and links."""
    kept = list(_described(found.body))
    opening = found.fields.get("description", "")
    text = textwrap.dedent("\n".join(kept)) if found.is_list else "\n".join(kept)
    return f"{opening}\n{text}".strip("\n") if opening else text.strip("\n")


def _described(body: Sequence[str]) -> Iterator[str]:
    for place, text in enumerate(body):
        if _XML_LABEL.match(text) or text.startswith("For more information, see Help and Support Center"):
            return
        if _BINARY.match(text) and any(_HEX_DUMP.match(one) for one in body[place + 1 : place + 2]):
            return
        yield text.rstrip()


parser: Parser = WindowsEventsText()
