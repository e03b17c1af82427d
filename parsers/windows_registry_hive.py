"""Registry hives: SYSTEM and SOFTWARE of ``Windows\\System32\\config``, live copies and ``reg save`` (windows.md 2.7).

Only the keys that speak of a backup are read, as the rows that ``reg query`` of them gives. Other hives, SAM and
SECURITY above all, are named and not read.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from loganalyzer.parser import Claim, LogSource, ParseContext, Parsed, Parser, Sample, Source, rejected_whole
from loganalyzer.parser_hive import MAGIC, Hive, HiveError, Key, Value
from loganalyzer.parser_listing import listing
from loganalyzer.parser_registry import LOGSOURCE, REGISTRY_COLUMNS, VALUE_TYPES, registry_row, value_text
from loganalyzer.schema import TIMESTAMP

_ROOT = "HKEY_LOCAL_MACHINE"
#: ``key_written``: when the key or a value of it was last written to.
_COLUMNS: Mapping[str, pl.DataType] = {**REGISTRY_COLUMNS, "key_written": TIMESTAMP}
#: The control set that Windows runs with, which the key ``Select`` names.
_CURRENT = "CurrentControlSet"

_SERVICE_VALUES = frozenset(
    {"start", "type", "imagepath", "objectname", "displayname", "delayedautostart", "dependonservice", "errorcontrol"}
)
_INTERFACE_VALUES = frozenset(
    {"enabledhcp", "dhcpipaddress", "dhcpserver", "dhcpnameserver", "nameserver", "ipaddress", "dhcpdefaultgateway"}
)
_WINDOWS_VALUES = frozenset(
    {"productname", "currentversion", "currentbuild", "currentbuildnumber", "ubr", "displayversion", "releaseid"}
    | {"editionid", "installationtype", "currentmajorversionnumber", "currentminorversionnumber"}
)
_NET_VALUES = frozenset({"enable64bit", "schusestrongcrypto", "systemdefaulttlsversions"})
_SERVICING = "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A key below a hive's root (``*``: each of that level) and its values that are read; None: all of them."""

    path: str
    values: frozenset[str] | None = None


_SYSTEM = (
    _Asked(f"{_CURRENT}\\Services\\*", _SERVICE_VALUES),
    _Asked(f"{_CURRENT}\\Services\\Tcpip\\Parameters\\Interfaces\\*", _INTERFACE_VALUES),
    _Asked(f"{_CURRENT}\\Control\\Session Manager", frozenset({"pendingfilerenameoperations"})),
)
_SOFTWARE = (
    _Asked("Microsoft\\BcdrAgent"),
    _Asked("Microsoft\\BcdrAgentPersistentKeys"),
    _Asked("Microsoft\\Virtual Machine\\Guest"),
    _Asked("Microsoft\\.NETFramework", _NET_VALUES),
    _Asked("Microsoft\\.NETFramework\\v4.0.30319", _NET_VALUES),
    _Asked("Wow6432Node\\Microsoft\\.NETFramework\\v4.0.30319", _NET_VALUES),
    _Asked("Microsoft\\NET Framework Setup\\NDP\\v4\\Full", frozenset({"release", "version"})),
    _Asked("Microsoft\\Windows NT\\CurrentVersion", _WINDOWS_VALUES),
    _Asked(f"{_SERVICING}\\RebootPending"),
    _Asked(f"{_SERVICING}\\RebootInProgress"),
    _Asked("Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired"),
)


@dataclass(frozen=True, slots=True)
class WindowsRegistryHive:
    """One row a value of the keys that are asked for, and one a key without values."""

    name: str = "windows_registry_hive"
    title: str = "registry hives of Windows: SYSTEM and SOFTWARE"
    logsource: LogSource = LOGSOURCE
    paths: tuple[str, ...] = ("C:\\Windows\\System32\\config\\SYSTEM", "C:\\Windows\\System32\\config\\SOFTWARE")
    begins = MAGIC
    otherwise = 0

    @property
    def samples(self) -> tuple[Sample, ...]:
        """A hive of each kind, and one that is not read."""
        return _samples()

    def claim(self, path: str, head: bytes) -> Claim | None:
        """By the first four bytes, which no other file has."""
        return Claim(95, "begins like a registry hive") if head.startswith(MAGIC) else None

    def parse(self, source: Source, context: ParseContext) -> Parsed:
        """One row a value; what is not asked for is skipped."""
        try:
            hive = Hive(source.data)
        except HiveError as error:
            return rejected_whole(source, str(error))
        known = _hive_of(hive)
        rows = [] if known is None else list(_rows(hive, *known))
        rows.sort(key=lambda row: int(str(row["log.offset"])))
        parsed = listing(source, self.logsource, (), rows, _COLUMNS)
        read = min(
            sum({int(str(row["log.offset"])): int(str(row["log.length"])) for row in rows}.values()), source.size
        )
        notes = _notes(hive, None if known is None else known[0])
        skipped = source.size - read
        return replace(parsed, parsed_bytes=read, skipped_bytes=skipped, damage=_damage(hive, source), notes=notes)


def _hive_of(hive: Hive) -> tuple[str, Sequence[_Asked]] | None:
    """Which of the two it is, by its keys: a saved copy has no name of its own. None: neither."""
    names = {key.name.casefold() for key in hive.subkeys(hive.root)}
    if "select" in names and any(name.startswith("controlset0") for name in names):
        return "SYSTEM", _SYSTEM
    return ("SOFTWARE", _SOFTWARE) if {"microsoft", "classes"} <= names else None


def _damage(hive: Hive, source: Source) -> tuple[str, ...]:
    found = []
    if source.size < hive.declared:
        found.append(f"cut off: {source.size} of {hive.declared} bytes are here")
    if hive.exhausted:
        found.append("more keys and values than are read of one hive: the rest was not looked at")
    elif hive.faults:
        found.append(f"{hive.faults} keys, values or lists of them could not be read")
    return tuple(found)


def _notes(hive: Hive, name: str | None) -> tuple[str, ...]:
    if name is None:
        return (f"neither SYSTEM nor SOFTWARE: not read ({hive.file_name or 'a hive without a name'})",)
    asked = f"the hive {name}: only keys that speak of a backup were read"
    late = "written to while it was copied: its newest changes stand in its transaction logs, which are not applied"
    return (asked, late) if hive.dirty else (asked,)


def _rows(hive: Hive, name: str, asked: Sequence[_Asked]) -> Iterator[dict[str, object]]:
    for one in asked:
        for section, key in _found(hive, hive.root, f"{_ROOT}\\{name}", one.path.split("\\")):
            yield from _rows_of(hive, section, key, one.values)


def _found(hive: Hive, key: Key, section: str, parts: Sequence[str]) -> Iterator[tuple[str, Key]]:
    """The keys at a path below ``key``, each with its own path."""
    if not parts:
        yield section, key
        return
    first, *rest = parts
    if first == "*":
        below = list(hive.subkeys(key))
    else:
        one = hive.find(key, _control_set(hive) if first == _CURRENT else first)
        below = [] if one is None else [one]
    for one in below:
        yield from _found(hive, one, f"{section}\\{one.name if first == '*' else first}", rest)


def _control_set(hive: Hive) -> str:
    select = hive.find(hive.root, "Select")
    values = () if select is None else hive.values(select)
    current = next((value.data for value in values if value.name.casefold() == "current"), b"\1")
    return f"ControlSet{int.from_bytes(current[:4], 'little'):03}"


def _rows_of(hive: Hive, section: str, key: Key, names: frozenset[str] | None) -> Iterator[dict[str, object]]:
    values = list(hive.values(key))
    place = {"key_written": key.written}
    for value in values:
        if names is None or value.name.casefold() in names:
            yield _row(section, value) | place
    if not values:
        cited = {"log.offset": key.offset, "log.length": key.length, "event.original": section}
        yield registry_row(section, None, None, None) | cited | place


def _row(section: str, value: Value) -> dict[str, object]:
    kind = VALUE_TYPES.get(value.kind, "unknown")
    name = value.name or "(Default)"
    row = registry_row(section, name, value_text(kind, value.data), kind)
    printed = f"    {name}    {kind}    {row['value']}"
    return row | {"log.offset": value.offset, "log.length": value.length, "event.original": printed}


# Written by the writer of hives in the tests (zlib, base64).
_SYSTEM_HIVE = (
    "eNrtWD1vGkEQHT7uDluKbKWylBQ0jlJFOFWUJpawLSIl4sShyAWF13gPnzgWtHdGWFEkyvyDpInk0qVLlykpKaNULl1SuiOzywKHg+Gw0kTah/"
    "a0e7PMm5mdGdByWnMtADBhigQOIzK3M/jYHM01NDQ0NDQ0NDQ0NDQ0NDT+P5wee0xONufLb4bDYbtuQRqgm8R1Wt0J5M84pyyckSci8j3qkjM/"
    "hAHKs7jeVfoucc3q+KZ78OPbxe+/rhSGCoLrKLKeZ5u4s3CoT6vh2E5D2pGK2OGEhKMY7lDeW4FfCG6X8AueT44j58JP303AYImf40khMdId5X"
    "yIJyP95G2vSoMxz6FSdLGE52oFnifiXJss5E3foWEutwOzcU3PiWsP5dsQwDmOECg0gEMTPyFsQwXa+DbAZxVeoayDY4xfUu8avsfcwMNOKr3v"
    "G6RGbRKeqn193FcCG/LggIj0PmqjwFC/E+GEe3o34IWIDSq1JvnYouykyFQclV8p6ddaxK8yqUk9tyJv8fsdHH0cd8nV8lfo20rFz5+R3evSHo"
    "jYs8/IsU/3Cnk7Wo+m3NdRe6R/zQYRlSzy4ysqvkqtXm/9GPZ+3vkyk+83qXh5+CYdPw/XRR6wkHKXYMbDDF8hHY/vckU+m3DSoMh5j+86Ha+e"
    "t4z4fOJutVxteS2VZ76bhJyK40tjMZ9KQ+gaj+sfgq8C7/BTwZp6i08i9/RkXj2Dp8J3Y1o3NlaNx2oHnk9LlGGIii3KSeg12ShQoq9mzIfPY1"
    "5f3TUX59mGtDcIkCT7kTBsCFzmPZN9JYsWB1DHuj/BuYvveKQunovYmdO6cGiV01D1f3PF/m8ur4cPAZn0C3GOBXWRPjDjnWPBin+O1rQ/T/i+"
    "q3w5shbXxZjv2nr878FrFWffTUFL7fmpGPrWYn9VekMuE59flF6pWCyL+aGl/6tpaGhoaGj8K/wB7xd2fA=="
)
_SOFTWARE_HIVE = (
    "eNrtWD1vEzEYfpLmq0VUFQyI7SbUMaoYWBBtoQEEbaImogwsac5JTkntyL4ksPUndKMLUsaubIyMjBkrFjp2ZEIdkMJr3x1JC7peNoT8RI7fiz"
    "/er+f1RZas1cwD0C1Cilp2Rh7rwZVAbkCAowkPLbxBFWWUUMMeNrCLLVhYWFhYWFhYWFhYWFhYWPyLaO973Agrfx8/mUwmvOMAh6UP70dfU1fH"
    "JyFm5ej5KvQ1wuNuXSmmMKY5+hZBQsHHMwjT19AGA8dT9KnXv0Q4pfmDzjLukfw2vJfQrcrrPdUW/jbz28IFzmneI1qp7yceoo59NMz6M7O+gF"
    "v6PmNmvaqrmugwHuy/hAx5+jMc02iRhT/wjawJ8J3mnVB/Tq1Ak44TxmeB5GLqcryu4g61zYYrN1qM+xUmlad8kl6wdyq0P2/s+7hc0L2xcZd1"
    "WV0xXGi7UsnzpQe+XGOP1lHqd7uR391mCuNUPC8iYTUd7J2EFzQVg/vT+Go9D9LJ9BzNoUfnYOdJ5ZKeUajn+Bo9F3Poua31bNWckqwfsKGQHa"
    "fK/H7PjGne7xE7OVzi/JCY6qBK7JIYmG8HayhSW7vE+xtYJbm3MOVtRQq33/B3SMNvf4oIPtN1i1jSef5z3XN3hs8jGj9dCJ5HCfmTDgkSF4dl"
    "Xe99KYnDrzSbBZ/GfSUTry8Sepnkcde+7nncFUPl7NTm8yfJ/jdNve0LQcXJXY+3Znh0FvpzdI0/69nk/tzV8RMHPcEpgs4mlblLTJIDrxHonu"
    "VxJZssnp/n0B+Xv3E2WX0Wc8n15af5M3oEvQWiN0Bw/mVQ0LWam/L5JWuaKeb8y815/uXi+atdLPttJsO67TazWA93LIT1chjmfT0X9ONcfB6i"
    "e/XVfPK4LFLb9hpSKNGM4nFu7EnTeRHgdT4+H+Exh09z6NWu7ZbLppJO8/a/koWFhYWFxf+CXxsvajQ="
)
_SAM_HIVE = (
    "eNrt1z0KgzAAhuFPUDrWI3gVF7ci1I6dKv5RiOAJOvYGnQqOPVMvEw1VEHEuDu8DH7whW7Z0RVUeJLnNvHHBoiMX4a9ztTIq1ajSVZlinQQAAA"
    "AAAPatvjVG0/9+y8daa+6R9Ejer/7rre/tZNnzec0fd07Ti+vnkbcHAAAAAOBfBgNsJS0="
)


def _sample(name: str, path: str, packed: str, *events: Mapping[str, object]) -> Sample:
    return Sample(name, path, zlib.decompress(base64.b64decode(packed)), events)


def _samples() -> tuple[Sample, ...]:
    services = f"{_ROOT}\\SYSTEM\\{_CURRENT}\\Services"
    return (
        _sample(
            "SYSTEM, while Windows was writing to it",
            "Windows/System32/config/SYSTEM",
            _SYSTEM_HIVE,
            {"section": f"{services}\\VSS", "hive": "SYSTEM", "key": "Start", "value": "4", "service": "VSS"},
            {"key": "ImagePath", "value": "%systemroot%\\vssvc.exe", "value_type": "REG_EXPAND_SZ"},
            {"key": "DependOnService", "value": "RPCSS\nEventSystem", "value_type": "REG_MULTI_SZ"},
            {"key": "EnableDHCP", "value": "0", "service": None},
            {"section": f"{services}\\Tcpip", "key": None},
            {"key": "PendingFileRenameOperations", "value": "\\??\\C:\\a", "pending_restart": True},
        ),
        _sample(
            "SOFTWARE",
            "config/SOFTWARE",
            _SOFTWARE_HIVE,
            {"key": "SnapshotMethod", "value": "firstHostThenGuest", "hive": "SOFTWARE"},
            {"key": "sasToken", "value": "<left out>"},
            {"key": "größe", "value": "ü"},
            {"key": "Release", "value": "528049", "value_type": "REG_DWORD"},
            {"key": "ProductName", "value": "Windows Server 2022"},
            {"key": None, "pending_restart": True},
        ),
        _sample("a hive that is not read", "hives/accounts.hiv", _SAM_HIVE),
    )


parser: Parser = WindowsRegistryHive()
