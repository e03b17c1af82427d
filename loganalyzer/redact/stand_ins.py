"""What stands for a name in a copy that programs read: something of the same shape, from what is kept for examples.

Addresses are of the documentation ranges (RFC 5737, RFC 3849), ids keep their form, names get a number and, where that
fits, their length. The same names in the same order get the same stand-ins; none is a name that the bundle has itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from typing import Final

from loganalyzer.redact.kinds import TOKEN

_V4: Final = ("192.0.2.0", "198.51.100.0", "203.0.113.0")
#: Where three documentation networks do not suffice: the range for benchmarks (RFC 2544).
_MORE_V4: Final = IPv4Address("198.18.0.1")
_WORDS: Final[Mapping[str, str]] = {"resource-group": "rg", "storage-account": "storage", "resource": "res"}
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def token_in_name(token: str) -> str:
    """A token as a part of a file's name, on every system."""
    return token.replace("&lt;", "").replace("&gt;", "").strip("<>").replace(":", "-")


class StandIns:
    """Stand-ins by token. ``taken``: values of the bundle, in lower case, which stand for nothing else."""

    def __init__(self, taken: Collection[str]) -> None:
        self._taken: Final = set(taken)
        self._given: dict[str, str] = {}
        self._plain: set[str] = set()
        self._sid_domains: dict[str, str] = {}
        self._going_on: dict[tuple[str, int, bool], Iterator[str]] = {}

    def is_one(self, value: str) -> bool:
        """Whether a value is a stand-in already."""
        return value.lower() in self._plain

    def of(self, token: str, kind: str, value: str) -> str:
        """The stand-in for the value of a token."""
        if token not in self._given:
            made = next(one for one in self._candidates(kind, value) if self._is_free(one))
            self._given[token] = made
            self._plain.add(made.lower())
            if kind == "ip":
                self._plain.add(made)
        return self._given[token]

    def _candidates(self, kind: str, value: str) -> Iterator[str]:
        """What could stand for a value. Of values of one shape it goes on behind what was tried: no candidate that was
        not free becomes free again. A SID's depend on its domain.
        """
        if kind == "sid":
            return _candidates(kind, value, self._sid_domains)
        is_guid = _GUID.fullmatch(value) is not None
        length = 0 if is_guid or kind in ("ip", "email") else len(value)
        shape = ("guid" if is_guid else kind, length, (":" if kind == "ip" else ".") in value)
        return self._going_on.setdefault(shape, _candidates(kind, value, self._sid_domains))

    def _is_free(self, made: str) -> bool:
        return made.lower() not in self._taken and made.lower() not in self._plain


def _candidates(kind: str, value: str, sid_domains: dict[str, str]) -> Iterator[str]:
    if kind == "ip":
        return _addresses(6 if ":" in value else 4)
    if _GUID.fullmatch(value):
        return (f"00000000-0000-4000-8000-{number:012x}" for number in count(1))
    making: Mapping[str, Callable[[int], str]] = {
        "mac": lambda number: f"{0x020000000000 + number:0{len(value)}x}",
        "sid": lambda number: _sid(value, number, sid_domains),
        "email": lambda number: f"user{number}@example.com",
        "domain": lambda number: _domain(value, number),
        "storage-account": lambda number: f"storage{number:0{max(1, len(value) - 7)}}",
    }
    make = making.get(kind)
    if make is not None:
        return map(make, count(1))
    return (_numbered(_WORDS.get(kind, kind), value, number) for number in count(1))


def _addresses(version: int) -> Iterator[str]:
    if version == 6:
        yield from (str(IPv6Address("2001:db8::") + number) for number in count(1))
        return
    yield from (str(IPv4Address(net) + number) for net in _V4 for number in range(1, 255))
    yield from (str(_MORE_V4 + number) for number in count())


def _numbered(word: str, value: str, number: int) -> str:
    """``host-1``, of the length of the value if that is possible: event logs have room for no other."""
    plain = f"{word}-{number}"
    if len(plain) <= len(value):
        return f"{word}-{number:0{len(value) - len(word) - 1}}"
    short = f"{word[0]}{number}"
    return f"{word[0]}{number:0{len(value) - 1}}" if len(short) <= len(value) else plain


def _domain(value: str, number: int) -> str:
    base = ".example" if "." in value else ""
    word = f"d{number}"
    return word.ljust(len(value) - len(base), "x") + base


def _sid(value: str, number: int, domains: dict[str, str]) -> str:
    """The last number of a SID tells which account of its domain it is; the others are those of the domain."""
    head, *numbers = value.rsplit("-", value.count("-") - 3)
    *domain, last = numbers if len(numbers) > 3 else (*numbers, "")
    key = "-".join(domain)
    if key not in domains or number > 1:
        made = [10 ** (len(part) - 1) for part in domain]
        made[-1] += len(domains) + number - 1
        domains[key] = "-".join(map(str, made))
    return "-".join(part for part in (head.upper(), domains[key], last) if part)


def fitted(shown: str, kind: str, length: int) -> str:
    """A token or stand-in in exactly so many characters: padded, shortened to kind and number, else asterisks."""
    if len(shown) == length:
        return shown
    if TOKEN.fullmatch(shown):
        return shown.ljust(length, "*") if len(shown) < length else "*" * length
    digits = re.sub(r"\D", "", shown)[-4:].lstrip("0") or "0"
    short = next((one for one in (shown, f"{kind}-{digits}") if len(one) <= length), None)
    return "*" * length if short is None else short.ljust(length, "*")
