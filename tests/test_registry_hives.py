"""Registry hives: read as `reg query` prints them, within bounds; another reader is the judge."""

from __future__ import annotations

import random
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
from regipy.registry import Cell, NKRecord

from loganalyzer.known_files import is_private
from loganalyzer.parser import ParseContext, Parsed, Source
from loganalyzer.parser_hive import MOST_VISITS, VALUE_LIMIT, Hive, HiveError
from loganalyzer.registry import parsers, recognise
from loganalyzer.schema import LogSource
from tests.hives import NONE, Node, at, hive, merged, number, text

[PARSER] = [parser for parser in parsers() if parser.name == "windows_registry_hive"]
SERVICES = "ControlSet002\\Services"
SYSTEM = merged(
    at("Select", number("Current", 2), number("Default", 1)),
    at("ControlSet001\\Services\\VSS", number("Start", 3)),
    at(
        f"{SERVICES}\\VSS",
        number("Start", 4),
        text("ImagePath", "%systemroot%\\vssvc.exe", 2),
        ("DependOnService", 7, "RPCSS\0EventSystem\0\0".encode("utf-16-le")),
        number("Tag", 9),
    ),
    at(f"{SERVICES}\\Tcpip\\Parameters\\Interfaces\\{{1}}", number("EnableDHCP", 0), text("Domain", "x")),
    at("ControlSet002\\Control\\Session Manager", text("PendingFileRenameOperations", "\\??\\C:\\a", 7)),
    at("ControlSet002\\Control\\Lsa", text("Secret", "not asked for")),
)
BCDR = "Microsoft\\BcdrAgentPersistentKeys"
SOFTWARE = merged(
    at("Classes"),
    at(BCDR, text("SnapshotMethod", "firstHostThenGuest"), text("sasToken", "?sig=abc"), text("größe", "ü")),
    at("Microsoft\\NET Framework Setup\\NDP\\v4\\Full", number("Release", 528049)),
    at("Microsoft\\Windows NT\\CurrentVersion", text("ProductName", "Windows Server 2022"), text("ProductId", "0000")),
    at("Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"),
    at("Microsoft\\Other", text("Left", "out")),
)


def read(data: bytes, path: str = "Windows/System32/config/SYSTEM") -> tuple[list[Mapping[str, Any]], Parsed]:
    parsed = PARSER.parse(Source(path, data), ParseContext())
    assert parsed.parsed_bytes + parsed.rejected_bytes + parsed.skipped_bytes == len(data)
    assert min(parsed.parsed_bytes, parsed.rejected_bytes, parsed.skipped_bytes) >= 0
    return [row for frame in parsed.frames for row in frame.rows.iter_rows(named=True)], parsed


def shown(rows: list[Mapping[str, Any]]) -> set[tuple[str, str | None, str | None]]:
    return {(row["section"].removeprefix("HKEY_LOCAL_MACHINE\\"), row["key"], row["value"]) for row in rows}


def test_the_samples_are_what_the_writer_writes() -> None:
    written = [hive(SYSTEM, dirty=True), hive(SOFTWARE, name="config\\SOFTWARE"), hive(Node(), name="config\\SAM")]
    assert [sample.raw for sample in PARSER.samples] == written


@pytest.mark.parametrize("lists", ["lf", "lh", "li", "ri"])
def test_the_current_control_set_is_read_and_the_other_is_not(lists: str) -> None:
    rows, parsed = read(hive(SYSTEM, lists=lists))
    assert shown(rows) == {
        ("SYSTEM\\CurrentControlSet\\Services\\VSS", "Start", "4"),
        ("SYSTEM\\CurrentControlSet\\Services\\VSS", "ImagePath", "%systemroot%\\vssvc.exe"),
        ("SYSTEM\\CurrentControlSet\\Services\\VSS", "DependOnService", "RPCSS\nEventSystem"),
        ("SYSTEM\\CurrentControlSet\\Services\\Tcpip", None, None),
        ("SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\\Interfaces\\{1}", "EnableDHCP", "0"),
        ("SYSTEM\\CurrentControlSet\\Control\\Session Manager", "PendingFileRenameOperations", "\\??\\C:\\a"),
    }
    assert {row["service"] for row in rows} == {"VSS", "Tcpip", None}
    assert [row["pending_restart"] for row in rows if row["key"] == "PendingFileRenameOperations"] == [True]
    assert (parsed.damage, parsed.notes) == ((), ("the hive SYSTEM: only keys that speak of a backup were read",))


def test_rows_are_those_of_the_text_and_stand_where_their_cells_do() -> None:
    data = hive(SOFTWARE)
    rows, _ = read(data)
    printed = "".join(f"{row['section']}\n{row['event.original']}\n\n" for row in rows if row["key"]).encode()
    recognised = recognise(Source("registry.txt", printed))
    assert recognised is not None
    assert recognised.parser.name == "windows_registry_text"
    [of_text] = recognised.parser.parse(Source("registry.txt", printed), ParseContext()).frames
    own = ["section", "hive", "key", "value", "value_type", "service", "pending_restart", "message"]
    assert of_text.logsource == PARSER.logsource == LogSource("windows", "registry", "config")
    assert of_text.rows.select(own).rows() == [tuple(row[name] for name in own) for row in rows if row["key"]]
    for row in rows:
        cell = data[row["log.offset"] : row["log.offset"] + row["log.length"]]
        name = row["key"] or row["section"].rpartition("\\")[2]
        assert name.encode() in cell or name.encode("utf-16-le") in cell
        assert row["key_written"].year == 2024


def test_a_value_whose_name_speaks_of_a_secret_stays_out() -> None:
    rows, parsed = read(hive(SOFTWARE))
    assert [row["value"] for row in rows if row["key"] == "sasToken"] == ["<left out>"]
    assert "sig=abc" not in repr((rows, parsed))


def test_what_is_not_asked_for_is_skipped() -> None:
    rows, parsed = read(hive(SOFTWARE))
    assert {row["section"].rpartition("\\")[2] for row in rows} & {"Other", "Classes"} == set()
    assert [row for row in rows if row["key"] in ("ProductId", "Left")] == []
    assert parsed.skipped_bytes > parsed.parsed_bytes > 0


def test_a_hive_that_windows_was_writing_to_says_so() -> None:
    _, parsed = read(hive(SYSTEM, dirty=True))
    assert any("transaction logs" in note for note in parsed.notes)
    assert parsed.damage == ()


def test_other_hives_are_named_and_nothing_of_them_is_read() -> None:
    users = at("SAM\\Domains\\Account\\Users\\000001F4", ("V", 3, b"hash of a password"))
    rows, parsed = read(hive(users, name="\\SystemRoot\\System32\\Config\\SAM"), "hives/renamed.hiv")
    assert rows == []
    assert parsed.parsed_bytes == 0
    assert parsed.notes == ("neither SYSTEM nor SOFTWARE: not read (\\SystemRoot\\System32\\Config\\SAM)",)


@pytest.mark.parametrize("path", ["Windows/System32/config/SAM", "C.zip!device_0/Windows/System32/config/SECURITY"])
def test_hives_of_accounts_are_shown_to_no_parser(path: str) -> None:
    assert is_private(path)
    assert recognise(Source(path, hive(SYSTEM))) is None


def test_a_large_value_is_read_to_a_limit() -> None:
    long = "\\??\\C:\\old\0" * 4000
    tree = merged(at("Select", number("Current", 1)), at("ControlSet001\\Control\\Session Manager", text("a", "b")))
    values = (text("PendingFileRenameOperations", long, 7), ("blob", 3, bytes(70_000)))
    found = Hive(hive(merged(tree, Node(values))))
    assert [(value.name, len(value.data)) for value in found.values(found.root)] == [
        ("PendingFileRenameOperations", VALUE_LIMIT),
        ("blob", VALUE_LIMIT),
    ]
    assert found.faults == 0


def test_every_value_is_what_another_reader_sees() -> None:
    for tree in (SYSTEM, SOFTWARE):
        for lists in ("lf", "lh", "li", "ri"):
            data = hive(tree, lists=lists)
            own = Hive(data)
            place = own.root.offset + 6
            judge = NKRecord(Cell(offset=place, cell_type="nk", size=own.root.length), BytesIO(data))
            assert tree_of(own, own.root) == tree_of_judge(judge)


def tree_of(found: Hive, key: Any) -> Any:
    values = {value.name: value.data for value in found.values(key) if value.kind != 4}
    numbers = {value.name: int.from_bytes(value.data, "little") for value in found.values(key) if value.kind == 4}
    keys = {one.name: tree_of(found, one) for one in found.subkeys(key)}
    strings = {name: data.decode("utf-16-le").strip("\0").split("\0") for name, data in values.items()}
    return numbers, strings, keys


def tree_of_judge(key: NKRecord) -> Any:
    values = {value.name: value.value for value in key.iter_values(trim_values=False)} if key.values_count else {}
    numbers = {name: value for name, value in values.items() if isinstance(value, int)}
    strings = {name: [v] if isinstance(v, str) else v for name, v in values.items() if not isinstance(v, int)}
    return numbers, strings, {one.name: tree_of_judge(one) for one in key.iter_subkeys()}


# Broken and hostile hives


@pytest.mark.parametrize("data", [b"regf", b"regf" + bytes(9000), hive(SYSTEM)[:4100]])
def test_a_hive_without_keys_is_rejected_with_the_reason(data: bytes) -> None:
    rows, parsed = read(data)
    assert (rows, parsed.rejected_bytes) == ([], len(data))
    assert parsed.damage[0].startswith("not a registry hive")


def test_a_cut_hive_is_damage() -> None:
    tree = merged(SYSTEM, *(at(f"{SERVICES}\\svc{place}", text("DisplayName", "x" * 200)) for place in range(40)))
    data = hive(tree)
    whole, _ = read(data)
    root = Hive(data).root.offset
    moved = bytearray(data[:8192])
    moved[36:40] = (len(moved) - 4096).to_bytes(4, "little")
    rows, parsed = read(bytes(moved) + data[root : root + 104])
    assert len(rows) < len(whole)
    assert parsed.damage[0].startswith("cut off: ")


def test_a_key_that_holds_itself_is_not_walked_for_ever() -> None:
    data = bytearray(hive(merged(SYSTEM, Node(keys={"Microsoft": Node(), "Classes": Node()}))))
    own = Hive(bytes(data))
    services = next(
        below
        for one in own.subkeys(own.root)
        if one.name == "ControlSet002"
        for below in own.subkeys(one)
        if below.name == "Services"
    )
    listed = 4096 + services.subkey_list + 4
    circle = (services.offset - 4096).to_bytes(4, "little")
    data[listed + 4 : listed + 8] = circle
    rows, _ = read(bytes(data))
    assert len(rows) < 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", [b"lf", b"ri", b"li"])
def test_counts_beyond_all_reason_end_at_a_limit(kind: bytes) -> None:
    data = bytearray(hive(merged(at("Select"), at("ControlSet001\\Services\\VSS", number("Start", 1)))))
    own = Hive(bytes(data))
    control = own.find(own.root, "ControlSet001")
    assert control is not None
    services = own.find(control, "Services")
    assert services is not None
    vss = own.find(services, "VSS")
    assert vss is not None
    at_vss = (vss.offset - 4096).to_bytes(4, "little")
    list_of_keys = len(data) - 4096
    entries = at_vss * 131_070
    data += (-(len(entries) + 8) & 0xFFFFFFFF).to_bytes(4, "little") + b"li\xff\xff" + entries
    entry = list_of_keys.to_bytes(4, "little") if kind == b"ri" else at_vss
    outer = len(data) - 4096
    data += (-(len(entries) + 8) & 0xFFFFFFFF).to_bytes(4, "little") + kind + b"\xff\xff" + entry * 131_070
    data[services.offset + 4 + 28 : services.offset + 4 + 32] = outer.to_bytes(4, "little")
    data[40:44] = (len(data) - 4096).to_bytes(4, "little")
    rows, parsed = read(bytes(data))
    assert 0 < len(rows) <= MOST_VISITS
    assert parsed.damage == ("more keys and values than are read of one hive: the rest was not looked at",)


def test_any_damage_to_a_hive_is_survived() -> None:
    random_places = random.Random(5)
    whole = hive(SYSTEM)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(random_places.randint(1, 12)):
            place = random_places.choice((36, random_places.randrange(4096, len(data) - 4)))
            data[place : place + 4] = random_places.choice(
                (random_places.randbytes(4), NONE.to_bytes(4, "little"), bytes(4), b"\0\0\0\x80")
            )
        read(bytes(data))


def test_a_hive_of_the_header_alone_says_what_is_missing() -> None:
    with pytest.raises(HiveError, match="root key is missing"):
        Hive(b"regf" + bytes(5000))
