"""Output of ``vssadmin list writers | providers | shadows | shadowstorage | volumes``, in any language of Windows.

Keys are in the system's language, writers' names mostly are not; what decides is a state's number, GUIDs, HRESULTs and
the order of the lines, which is the same everywhere. Words for a writer's last error are known in six languages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_listing import (
    Line,
    Rejected,
    cited,
    console_head,
    console_lines,
    key_value,
    listing,
    paragraphs,
)

_LOGSOURCE = LogSource("windows", "vss")
#: States of writers from this one on are failures, each at a step (VSS_WRITER_STATE).
_FIRST_FAILURE = 6

#: ``kind``: writer, provider, shadow_copy, shadow_storage, volume or error. ``writer`` is the English name where the
#: class id is known, else what was printed. ``last_error_code``: the HRESULT of the words; 0x00000000 for none.
#: ``others_failed`` and ``others_well``: how many other writers of the same list are in a state of failure, and how
#: many are not; where all have failed, none of them is to blame.
_COLUMNS: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "writer": pl.String(),
    "writer_name": pl.String(),
    "writer_id": pl.String(),
    "writer_instance_id": pl.String(),
    "state": pl.Int64(),
    "state_name": pl.String(),
    "state_text": pl.String(),
    "last_error": pl.String(),
    "last_error_code": pl.String(),
    "others_failed": pl.Int64(),
    "others_well": pl.Int64(),
    "provider": pl.String(),
    "provider_id": pl.String(),
    "provider_type": pl.String(),
    "provider_version": pl.String(),
    "volume": pl.String(),
    "volume_id": pl.String(),
    "storage_volume": pl.String(),
    "storage_volume_id": pl.String(),
    "used_bytes": pl.Int64(),
    "allocated_bytes": pl.Int64(),
    "maximum_bytes": pl.Int64(),
    "maximum_unbounded": pl.Boolean(),
    "shadow_copy_id": pl.String(),
    "shadow_copy_set_id": pl.String(),
    "shadow_copy_device": pl.String(),
    "created_text": pl.String(),
    "hresult": pl.String(),
}

#: Names by class id (windows.md 3.5).
_WRITERS = {
    "e8132975-6f93-4464-a53e-1050253ae220": "System Writer",
    "afbab4a2-367d-4d15-a586-71dbb18f8485": "Registry Writer",
    "542da469-d3e1-473c-9f4f-7847f01fc64f": "COM+ REGDB Writer",
    "4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f": "Shadow Copy Optimization Writer",
    "a6ad56c2-b509-4e6c-bb19-49d8f43532f0": "WMI Writer",
    "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a": "SqlServerWriter",
    "b2014c9e-8711-4c5c-a5a9-3cf384484757": "NTDS",
    "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de": "Microsoft Hyper-V VSS Writer",
    "2a40fd15-dfca-4aa8-a654-1f8c654603f6": "IIS Config Writer",
    "59b1f0cf-90ef-465f-9609-6ca8b2938366": "IIS Metabase Writer",
    "35e81631-13e1-48db-97fc-d5bc721bb18a": "NPS VSS Writer",
}
#: VSS_WRITER_STATE. vssadmin itself says only "Failed" for 6 to 15.
_STATES = {
    0: "unknown",
    1: "stable",
    2: "waiting for freeze",
    3: "waiting for thaw",
    4: "waiting for post-snapshot",
    5: "waiting for completion",
    6: "failed at identify",
    7: "failed at prepare backup",
    8: "failed at prepare snapshot",
    9: "failed at freeze",
    10: "failed at thaw",
    11: "failed at post-snapshot",
    12: "failed at backup complete",
    13: "failed at pre-restore",
    14: "failed at post-restore",
    15: "failed at backup shutdown",
}
#: What vssadmin prints for a writer's failure, to the HRESULT (windows.md 4.1), in en, de, fr, it, es and ja.
_LAST_ERRORS = (
    ("0x00000000", ("no error", "kein fehler", "keine fehler", "aucune erreur", "nessun errore", "sin errores")),
    ("0x00000000", ("ningún error", "エラーなし", "エラーはありません")),
    ("0x800423F0", ("inconsistent shadow copy", "inkonsistente schattenkopie", "cliché instantané incohérent")),
    ("0x800423F0", ("copia shadow incoerente", "instantánea incoherente", "シャドウ コピーの不整合")),
    ("0x800423F1", ("out of resources", "nicht genügend ressourcen", "ressources insuffisantes")),
    ("0x800423F1", ("risorse insufficienti", "recursos insuficientes", "リソース不足")),
    ("0x800423F2", ("timed out", "zeitüberschreitung", "zeitlimit", "délai dépassé", "timeout", "tempo scaduto")),
    ("0x800423F2", ("tiempo de espera", "タイムアウト")),
    # Before the retryable error: its words stand in these.
    ("0x800423F4", ("non-retryable error", "nicht wiederholbarer fehler", "erreur non récupérable")),
    ("0x800423F4", ("errore irreversibile", "errore non ripetibile", "error no recuperable", "no reintentable")),
    ("0x800423F4", ("再試行できないエラー", "再試行不可能")),
    ("0x800423F3", ("retryable error", "wiederholbarer fehler", "erreur récupérable", "errore ripetibile")),
    ("0x800423F3", ("errore reversibile", "error recuperable", "error reintentable", "再試行可能")),
    ("0x80042319", ("not responding", "reagiert nicht", "antwortet nicht", "pas de réponse", "nessuna risposta")),
    ("0x80042319", ("no responde", "応答なし")),
    ("0x80042302", ("unexpected error", "unerwarteter fehler", "erreur inattendue", "errore imprevisto")),
    ("0x80042302", ("error inesperado", "予期しないエラー")),
)

#: What vssadmin says where it ends with an error, to the HRESULT: the words of VSS and of Windows for those codes.
_OWN_ERRORS = (
    ("0x8004230F", ("shadow copy provider had an unexpected error",)),
    ("0x80042306", ("shadow copy provider had an error",)),
    ("0x80042316", ("another shadow copy creation is already in progress",)),
    ("0x8004231F", ("insufficient storage available to create",)),
    ("0x80042317", ("maximum number of shadow copies",)),
    ("0x8004230C", ("shadow copying the specified volume is not supported",)),
    (
        "0x8000FFFF",
        ("catastrophic failure", "schwerwiegender fehler", "défaillance irrémédiable", "error irrecuperable"),
    ),
    ("0x8000FFFF", ("エラーを特定できません",)),
    ("0x80040154", ("class not registered", "klasse nicht registriert", "classe non enregistrée")),
    ("0x80040154", ("classe non registrata", "clase no registrada", "クラスが登録されていません")),
    ("0x80070422", ("service cannot be started, either because it is disabled",)),
    ("0x80070430", ("service has been marked for deletion",)),
    ("0x80070424", ("service does not exist as an installed service",)),
    ("0x800706BA", ("rpc server is unavailable", "rpc-server ist nicht verfügbar", "serveur rpc n'est pas disponible")),
    ("0x800706BA", ("server rpc non è disponibile", "servidor rpc no está disponible", "rpc サーバーを利用できません")),
)

_GUID = re.compile(r"\{([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}")
_STATE = re.compile(r"\[(\d{1,2})\]\s*(.*)$")
_HRESULT = re.compile(r"0x[0-9A-Fa-f]{8}\b")
_VOLUME = re.compile(r"(?:\(([^()]{1,260})\))?\\\\\?\\Volume\{([0-9A-Fa-f-]{36})\}")
_DEVICE = re.compile(r"\\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy\d+", re.IGNORECASE)
_VERSION = re.compile(r":\s*(\d+(?:\.\d+)+)\s*$")
_SIZE = re.compile(r":\s*([0-9][0-9.,\u00a0\u202f]*)\s*([A-Za-z]+|バイト)\s*(?:\(|$)")
_UNBOUNDED = re.compile(r"UNBOUNDED|UNBEGRENZT|ILLIMIT|無制限", re.IGNORECASE)
_UNITS = {"B": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6, "O": 0, "バ": 0}
_ERROR = re.compile(r"^(?:Error|Fehler|Erreur|Errore|エラー)\s*:", re.IGNORECASE)
#: What vssadmin says of an error has so many lines at most.
_MOST_ERROR_LINES = 4
_QUOTES = "'\"`´‘’“”„«»‚「」 \u00a0"
_QUOTED_NAME = re.compile(r"^[^:\n]{2,60}:\s*['\"‘’“„«‚「]", re.MULTILINE)
#: What a script or a log put in front of what vssadmin printed.
_STAMP = re.compile(
    r"^\W{0,2}(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}[T ]?,?\s*\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?[AP]M)?Z?"
    r"\W{0,2}\s+)(?=\S)",
    re.IGNORECASE,
)
_BARE_ERROR = re.compile(r"^(?:Error|Fehler|Erreur|Errore|エラー)\s*:|^vssadmin \d", re.IGNORECASE)
_ONE_LINE_WRITER = re.compile(
    r"^\s*(?P<name>[^:\n]{2,60}:\s*['\"‘’“„«‚「][^:\n]{1,120}?['\"‘’”“»」])\s+(?P<id>[^:{}\n]{2,60}:\s*\{[0-9A-Fa-f-]{36}\})"
    r"\s+(?P<instance>[^:{}\n]{2,80}:\s*\{[0-9A-Fa-f-]{36}\})\s+(?P<state>[^:\[\n]{2,40}:\s*\[\d{1,2}\]\s*)(?P<rest>.*)$"
)
#: The label of the last error: two words or three behind those of the state, in any language.
_LAST_LABEL = re.compile(
    r"(?<=\S)\s+(?:Last error|Letzter Fehler|Dernière erreur|Ultimo errore|Último error|Último erro|\S+ \S+)\s*$",
    re.IGNORECASE,
)
_BANNER = r"^\s*vssadmin \d+\.\d+ - "
#: Whoever hides names hides ids too: in the braces may be anything, or they are left out.
_WRITER_BLOCK = (
    r"^[^\s:][^:\n]{1,60}:\s*['\"‘“„«「][^\n]*\r?\n"
    r"(?:[ \t]*[^\n:]{2,60}:\s*\{[^{}\n]{1,60}\}[ \t]*\r?\n){0,2}[ \t]*[^\n:]{2,60}:\s*\[\d{1,2}\] \S"
)
_NAME = r"(?:^|[/!])[^/!]*(?:vss|shadow|writers)[^/!]*\.(?:txt|log|out)$"

_WRITERS_TEXT = (
    "vssadmin 1.1 - Volume Shadow Copy Service administrative command-line tool\r\n"
    "(C) Copyright 2001-2013 Microsoft Corp.\r\n\r\n"
    "Writer name: 'System Writer'\r\n"
    "   Writer Id: {e8132975-6f93-4464-a53e-1050253ae220}\r\n"
    "   Writer Instance Id: {0d1a5f4e-1111-4c4c-8888-0123456789ab}\r\n"
    "   State: [9] Failed\r\n"
    "   Last error: Timed out\r\n\r\n"
    "Writer name: 'Contoso Ledger Writer'\r\n"
    "   Writer Id: {11111111-2222-3333-4444-555555555555}\r\n"
    "   Writer Instance Id: {66666666-7777-8888-9999-aaaaaaaaaaaa}\r\n"
    "   State: [1] Stable\r\n"
    "   Last error: No error\r\n"
)
_GERMAN_TEXT = (
    'Verfassername: "Systemverfasser"\r\n'
    "   Verfasserkennung: {e8132975-6f93-4464-a53e-1050253ae220}\r\n"
    "   Verfasserinstanzkennung: {0d1a5f4e-1111-4c4c-8888-0123456789ab}\r\n"
    "   Status: [7] Fehlgeschlagen\r\n"
    "   Letzter Fehler: Zeitüberschreitung\r\n"
)
_OTHER_TEXT = (
    "C:\\>vssadmin list providers\r\n"
    "vssadmin 1.1 - Volume Shadow Copy Service administrative command-line tool\r\n\r\n"
    "Provider name: 'Microsoft Software Shadow Copy provider 1.0'\r\n"
    "   Provider type: System\r\n"
    "   Provider Id: {b5946137-7b9f-4925-af80-51abd60b20d5}\r\n"
    "   Version: 1.0.0.7\r\n\r\n"
    "C:\\>vssadmin list shadowstorage\r\n"
    "Shadow Copy Storage association\r\n"
    "   For volume: (C:)\\\\?\\Volume{aaaaaaaa-0000-0000-0000-100000000000}\\\r\n"
    "   Shadow Copy Storage volume: (D:)\\\\?\\Volume{bbbbbbbb-0000-0000-0000-100000000000}\\\r\n"
    "   Used Shadow Copy Storage space: 1.5 GB (1%)\r\n"
    "   Allocated Shadow Copy Storage space: 2 GB (2%)\r\n"
    "   Maximum Shadow Copy Storage space: UNBOUNDED (100%)\r\n\r\n"
    "C:\\>vssadmin list shadows\r\n"
    "Contents of shadow copy set ID: {cccccccc-0000-0000-0000-100000000000}\r\n"
    "   Contained 1 shadow copies at creation time: 5/6/2024 7:08:01 AM\r\n"
    "      Shadow Copy ID: {dddddddd-0000-0000-0000-100000000000}\r\n"
    "         Original Volume: (C:)\\\\?\\Volume{aaaaaaaa-0000-0000-0000-100000000000}\\\r\n"
    "         Shadow Copy Volume: \\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy4\r\n"
    "         Originating Machine: vm01\r\n\r\n"
    "C:\\>vssadmin list volumes\r\n"
    "Volume path: C:\\\r\n"
    "    Volume name: \\\\?\\Volume{aaaaaaaa-0000-0000-0000-100000000000}\\\r\n"
)


@dataclass(frozen=True, slots=True)
class VssadminText:
    """One row a writer, provider, shadow copy, storage association, volume or error message."""

    name: str = "vssadmin_text"
    title: str = "output of vssadmin list writers, providers, shadows, shadowstorage, volumes"
    logsource: LogSource = _LOGSOURCE
    paths: tuple[str, ...] = ("vssadmin list writers > vss_writers.txt",)
    named = _NAME
    otherwise = 57
    samples: tuple[Sample, ...] = (
        Sample(
            "a writer that timed out and one that is well",
            "vssadmin-list-writers.txt",
            _WRITERS_TEXT.encode(),
            (
                {
                    "kind": "writer",
                    "writer": "System Writer",
                    "writer_id": "e8132975-6f93-4464-a53e-1050253ae220",
                    "writer_instance_id": "0d1a5f4e-1111-4c4c-8888-0123456789ab",
                    "state": 9,
                    "state_name": "failed at freeze",
                    "state_text": "Failed",
                    "last_error": "Timed out",
                    "last_error_code": "0x800423F2",
                    "log.line": 4,
                },
                {"writer": "Contoso Ledger Writer", "state": 1, "last_error_code": "0x00000000"},
            ),
        ),
        Sample(
            "a German console, in its own code page",
            "vm07_writers.txt",
            _GERMAN_TEXT.encode("cp850"),
            (
                {
                    "writer": "System Writer",
                    "writer_name": "Systemverfasser",
                    "state": 7,
                    "last_error": "Zeitüberschreitung",
                    "last_error_code": "0x800423F2",
                },
            ),
        ),
        Sample(
            "all other lists in one transcript of UTF-16",
            "logs/vss.txt",
            _OTHER_TEXT.encode("utf-16"),
            (
                {
                    "kind": "provider",
                    "provider": "Microsoft Software Shadow Copy provider 1.0",
                    "provider_id": "b5946137-7b9f-4925-af80-51abd60b20d5",
                    "provider_type": "System",
                    "provider_version": "1.0.0.7",
                },
                {
                    "kind": "shadow_storage",
                    "volume": "C:",
                    "storage_volume": "D:",
                    "used_bytes": 1610612736,
                    "allocated_bytes": 2147483648,
                    "maximum_bytes": None,
                    "maximum_unbounded": True,
                },
                {
                    "kind": "shadow_copy",
                    "shadow_copy_id": "dddddddd-0000-0000-0000-100000000000",
                    "shadow_copy_set_id": "cccccccc-0000-0000-0000-100000000000",
                    "volume": "C:",
                    "created_text": "5/6/2024 7:08:01 AM",
                },
                {"kind": "volume", "volume": "C:\\", "volume_id": "aaaaaaaa-0000-0000-0000-100000000000"},
            ),
        ),
        Sample(
            "a list without its indentation and blank lines",
            "vssadmin-writers.txt",
            b"vssadmin 1.1 - Volume Shadow Copy Service administrative command-line tool\r\n"
            b"Writer name: 'Contoso Ledger Writer'\r\nWriter Id: {aaaaaaaa-0000-0000-0000-200000000000}\r\n"
            b"Writer Instance Id: {aaaaaaaa-0000-0000-0000-300000000000}\r\nState: [8] Failed\r\n"
            b"Last error: No error\r\nWriter name: 'Contoso Mail Writer'\r\n"
            b"Writer Id: {bbbbbbbb-0000-0000-0000-200000000000}\r\n"
            b"Writer Instance Id: {bbbbbbbb-0000-0000-0000-300000000000}\r\nState: [1] Stable\r\n"
            b"Last error: No error\r\n",
            (
                {"writer": "Contoso Ledger Writer", "state": 8, "others_failed": 0, "others_well": 1},
                {"writer": "Contoso Mail Writer", "state": 1, "others_failed": 1},
            ),
        ),
        Sample(
            "ids that somebody hid",
            "writers.txt",
            b"Writer name: 'Contoso Ledger Writer'  \r\nWriter Id: {hidden}  \r\nWriter Instance Id: {hidden}  \r\n"
            b"State: [11] Failed\r\nLast error: Non-retryable error\r\n",
            (
                {
                    "writer": "Contoso Ledger Writer",
                    "writer_id": None,
                    "state": 11,
                    "last_error_code": "0x800423F4",
                },
            ),
        ),
        Sample(
            "no list but an error",
            "vss_writers.txt",
            b"vssadmin 1.1 - Volume Shadow Copy Service administrative command-line tool\r\n\r\n"
            b"Error: The service cannot be started. (0x80070422)\r\n",
            ({"kind": "error", "hresult": "0x80070422"},),
        ),
        Sample(
            "nothing but an error",
            "vssadmin-writers.txt",
            b"Error: 0x8000FFFF\r\n",
            ({"kind": "error", "hresult": "0x8000FFFF"},),
        ),
    )

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By its banner or the shape of a writer, which no other program prints."""
        text = console_head(head)
        known = any(re.search(one, text, re.MULTILINE) for one in (_BANNER, _WRITER_BLOCK)) or any(
            _ONE_LINE_WRITER.match(line) or re.match(_BANNER, _STAMP.sub("", line)) for line in text.splitlines()[:200]
        )
        named = re.search(_NAME, path.replace("\\", "/"), re.IGNORECASE)
        if not known and not (_VOLUME.search(text) and (_SIZE.search(text) or "list shadow" in text)):
            told = [line.strip() for line in text.splitlines() if line.strip()]
            alone = 0 < len(told) <= _MOST_ERROR_LINES and _ERROR.match(told[0]) and _own_error_code(" ".join(told))
            return Claim(57, "named like output of vssadmin, and tells how that ended") if named and alone else None
        return (
            Claim(90, "named and built like output of vssadmin")
            if named
            else Claim(55, "built like output of vssadmin")
        )

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row an item; no time, for vssadmin tells none of its own."""
        lines = console_lines(source.data)
        rows: list[dict[str, object]] = []
        rejected: list[Rejected] = []
        whole = [piece for line in lines for piece in _unfolded(line)]
        name_key: str | None = None
        for run in (piece for paragraph in paragraphs(whole) for piece in _items(paragraph)):
            row = _row(run, name_key)
            if row is None:
                rejected += [Rejected(line, "no item of a list of vssadmin") for line in run if _GUID.search(line.text)]
                continue
            if row["kind"] == "writer":
                name_key = (key_value(run[0].text) or ("", ""))[0]
            rows.append(row | cited(run))
        if not rows and source.data and not re.search(_BANNER, console_head(source.data), re.MULTILINE):
            return rejected_whole(source, "no writer, provider, shadow copy, storage association or volume in it")
        for writers in _lists([row for row in rows if row["kind"] == "writer"]):
            failed = [_has_failed(row) for row in writers]
            for row, own in zip(writers, failed, strict=True):
                row["others_failed"] = failed.count(True) - (own is True)
                row["others_well"] = failed.count(False) - (own is False)
        return listing(source, self.logsource, lines, rows, _COLUMNS, rejected)


def _lists(writers: Sequence[dict[str, object]]) -> list[list[dict[str, object]]]:
    """The lists of a transcript: where a writer comes for the second time, another list has begun."""
    lists: list[list[dict[str, object]]] = []
    seen: set[tuple[object, object]] = set()
    for row in writers:
        name = (row["writer_name"], row.get("writer_instance_id"))
        if name in seen or not lists:
            lists.append([])
            seen.clear()
        seen.add(name)
        lists[-1].append(row)
    return lists


def _has_failed(row: Mapping[str, object]) -> bool | None:
    """Whether a writer is in a state of failure; null: its state was cut off."""
    state = row.get("state")
    return state >= _FIRST_FAILURE if isinstance(state, int) else None


def _unfolded(line: Line) -> list[Line]:
    """A writer whose lines were joined, as its lines again; a time that a script put in front is left out."""
    text = _STAMP.sub("", line.text)
    found = _ONE_LINE_WRITER.match(text)
    if found is None:
        return [line if text is line.text or not _BARE_ERROR.match(text.strip()) else replace(line, text=text.strip())]
    state, mark, error = found["rest"].rpartition(":")
    label = _LAST_LABEL.search(state) if mark else None
    pieces = [found["name"], found["id"], found["instance"]]
    pieces.append(found["state"] + (state[: label.start()] if label else found["rest"]).rstrip())
    pieces += [f"{label[0].strip()}: {error.strip()}"] if label else []
    return [replace(line, text=piece if place == 0 else f"   {piece}") for place, piece in enumerate(pieces)]


def _items(paragraph: list[Line]) -> list[list[Line]]:
    """A paragraph's items: each begins at a line that is not indented; shadow copies at their own id.

    Where a page or a mail took the indentation away, an item begins at its name, which alone is in quotes.
    """
    flat = all(line.indent == 0 for line in paragraph) and any(_QUOTED_NAME.match(line.text) for line in paragraph)
    items: list[list[Line]] = []
    named = False
    for line in paragraph:
        is_name = bool(_QUOTED_NAME.match(line.text))
        begins = is_name or not named if flat else line.indent == 0
        named = named or is_name
        if begins or not items:
            items.append([line])
        else:
            items[-1].append(line)
    return [part for item in items for part in _shadow_copies(item)]


def _shadow_copies(item: list[Line]) -> list[list[Line]]:
    """A set of shadow copies holds some; each becomes an item with the lines of the set before it."""
    if not any(_DEVICE.search(line.text) for line in item):
        return [item]
    starts = [
        place
        for place, line in enumerate(item)
        if place > 0 and _GUID.search(line.text) and not _VOLUME.search(line.text)
    ]
    if len(starts) < 2:
        return [item]
    ends = [*starts[1:], len(item)]
    head = item[: starts[0]]
    return [[*head, *item[starts[0] : ends[0]]], *(item[a:b] for a, b in zip(starts[1:], ends[1:], strict=True))]


def _row(run: Sequence[Line], name_key: str | None) -> dict[str, object] | None:
    text = "\n".join(line.text for line in run)
    first = key_value(run[0].text)
    if _ERROR.match(text.strip()):
        return {"kind": "error", "message": text.strip(), "hresult": _own_error_code(text) or _error_code(text)}
    if any(_DEVICE.search(line.text) for line in run):
        return _shadow_copy(run, text)
    if len(_VOLUME.findall(text)) >= 2:
        return _storage(run, text)
    if first is None:
        return None
    ids = [found[1].lower() for line in run[1:] if (found := _GUID.search(line.text))]
    state = next((found for line in run if (found := _STATE.search(line.text))), None)
    if state is not None and _QUOTED_NAME.match(run[0].text):
        return _writer(run, first[1], ids, state)
    if len(run) < 3 and name_key is not None and first[0] == name_key:
        name = first[1].strip(_QUOTES)
        return {"kind": "writer", "writer": name, "writer_name": name, "message": f"{name}: cut off"}
    if volume := _VOLUME.search(text):
        return {"kind": "volume", "volume": first[1], "volume_id": volume[2].lower(), "message": text.strip()}
    if ids and (version := next((found for line in run if (found := _VERSION.search(line.text))), None)):
        kind = key_value(run[1].text)
        name = first[1].strip(_QUOTES)
        return {
            "kind": "provider",
            "provider": name,
            "provider_type": kind[1] if kind and not _GUID.search(kind[1]) else None,
            "provider_id": ids[0],
            "provider_version": version[1],
            "message": f"{name} {version[1]}",
        }
    return None


def _writer(run: Sequence[Line], printed: str, ids: Sequence[str], state: re.Match[str]) -> dict[str, object]:
    printed, number = printed.strip(_QUOTES), int(state[1])
    name = _WRITERS.get(ids[0], printed) if ids else printed
    behind = next((place for place, line in enumerate(run) if _STATE.search(line.text)), len(run)) + 1
    error = key_value(run[behind].text) if behind < len(run) else None
    words = error[1] if error else None
    return {
        "kind": "writer",
        "writer": name,
        "writer_name": printed,
        "writer_id": ids[0] if ids else None,
        "writer_instance_id": ids[1] if len(ids) > 1 else None,
        "state": number,
        "state_name": _STATES.get(number),
        "state_text": state[2].strip(),
        "last_error": words,
        "last_error_code": _error_code(words),
        "message": f"{name}: [{number}] {state[2].strip()}; {words or ''}".rstrip("; "),
    }


def _error_code(words: str | None) -> str | None:
    """The HRESULT that is written or that the words stand for; None: not known."""
    if words is None:
        return None
    if code := _HRESULT.search(words):
        return _upper(code[0])
    folded = words.casefold()
    return next((code for code, known in _LAST_ERRORS if any(one in folded for one in known)), None)


def _own_error_code(text: str) -> str | None:
    """The HRESULT of an error of vssadmin itself, written or in its words; None: not known."""
    if _HRESULT.search(text):
        return _error_code(text)
    folded = " ".join(text.casefold().replace("’", "'").split())
    return next((code for code, known in _OWN_ERRORS if any(one in folded for one in known)), None)


def _upper(code: str) -> str:
    return "0x" + code[2:].upper()


def _shadow_copy(run: Sequence[Line], text: str) -> dict[str, object]:
    ids = [found[1].lower() for line in run if (found := _GUID.search(line.text)) and not _VOLUME.search(line.text)]
    volume, device = _VOLUME.search(text), _DEVICE.search(text)
    in_set = len(ids) > 1
    created = key_value(run[1].text) if in_set and len(run) > 1 else None
    return {
        "kind": "shadow_copy",
        "shadow_copy_set_id": ids[0] if in_set else None,
        "shadow_copy_id": ids[-1] if ids else None,
        "shadow_copy_device": device[0] if device else None,
        "volume": volume[1] if volume else None,
        "volume_id": volume[2].lower() if volume else None,
        "created_text": created[1] if created else None,
        "message": text.strip(),
    }


def _storage(run: Sequence[Line], text: str) -> dict[str, object] | None:
    """Volume, storage volume, then what is used, allocated and the most that may be."""
    volumes = _VOLUME.findall(text)
    sizes = [
        line.text
        for line in run
        if not _VOLUME.search(line.text) and (_SIZE.search(line.text) or _UNBOUNDED.search(line.text))
    ]
    if not sizes:
        return None
    known = [*(_bytes(one) for one in sizes), None, None, None]
    return {
        "kind": "shadow_storage",
        "volume": volumes[0][0] or None,
        "volume_id": volumes[0][1].lower(),
        "storage_volume": volumes[1][0] or None,
        "storage_volume_id": volumes[1][1].lower(),
        "used_bytes": known[0],
        "allocated_bytes": known[1],
        "maximum_bytes": known[2],
        "maximum_unbounded": bool(_UNBOUNDED.search(sizes[2])) if len(sizes) > 2 else None,
        "message": text.strip(),
    }


def _bytes(text: str) -> int | None:
    """``1.5 GB``, ``1,5 Go``, ``0 bytes`` in bytes: the last mark is the decimal one."""
    found = _SIZE.search(text)
    if found is None:
        return None
    digits = re.sub(r"[\u00a0\u202f]", "", found[1]).rstrip(".,")
    whole, mark, part = max(digits.rpartition("."), digits.rpartition(","), key=lambda cut: len(cut[0]))
    whole, part = (whole, part) if mark else (part, "")
    power = _UNITS.get(found[2][0].upper())
    whole = re.sub("[.,]", "", whole)
    return None if power is None or len(whole) > 15 else round(float(f"{whole or 0}.{part or 0}") * 1024**power)


parser: Parser = VssadminText()
