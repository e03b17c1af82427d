"""Where a text names a person, a machine or a customer: addresses, accounts, ids and names of resources.

Each form has a pattern of its own with bounded repeats, so that hostile text costs linear time, and a word that it
holds, so that most texts are not searched at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from msgspec import Struct

from loganalyzer.lazy_pattern import LazyPattern
from loganalyzer.redact.kinds import TOKEN, Secret
from loganalyzer.redact.ordinary import (
    is_account_of_nobody,
    is_address_of_nobody,
    is_common,
    is_machine_of_nobody,
)

_GUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_NO_GUID: Final = "00000000-0000-0000-0000-000000000000"
#: A path separator, as JSON and URLs write it too.
_SLASH: Final = r"(?:\\{0,8}/|%(?:25)?2F)"
_BACKSLASH: Final = r"(?:\\{1,8}|/|%(?:25)?5C)"
#: Between a name and its value: quotes at any depth, white space, one sign.
_QUOTES: Final = r"""(?:\\{0,8}["']|\\{1,8}u002[27]|&(?:amp;){0,3}(?:quot|apos|\#3[49]);|%(?:25)?2[27])"""
_GAP: Final = r"(?:[^\S\r\n]|\\{1,8}t){0,40}"
_IS: Final = (
    rf"""(?:{_QUOTES}?{_GAP}(?:[:=]|%(?:25)?3[AD]){_GAP}(?:[ub](?=['"\\]))?{_QUOTES}?|{_QUOTES}?(?:>|&gt;)"""
    r"""|\s{1,40}REG_[A-Z_]{2,20}\s{1,40})"""
)
_NAME_END: Final = r"(?![\w-])"
#: Begins a name: nothing that could be the rest of a longer one stands before it, but for an escape.
_BEGIN: Final = r"(?:(?<![\w-])|(?<=\\[nrt])|(?<=%[0-9A-F]{2}))"


class _Form(Struct, frozen=True):
    """``pattern`` has the group ``v``, the name itself. ``words``: one of them (in lower case) is in each such text."""

    kind: str
    pattern: LazyPattern
    words: tuple[str, ...]
    is_one: Callable[[str], bool] = bool


def _form(kind: str, pattern: str, *words: str, is_one: Callable[[str], bool] = bool) -> _Form:
    return _Form(kind, LazyPattern(pattern, re.IGNORECASE), words, is_one)


def _is_guid(value: str) -> bool:
    return value != _NO_GUID


def _is_user(value: str) -> bool:
    return not is_account_of_nobody(value) and not value.isdigit()


def _is_host(value: str) -> bool:
    return not is_machine_of_nobody(value) and any(char.isalpha() for char in value) and not is_common(value)


def _is_domain(value: str) -> bool:
    return _is_host(value) and not is_account_of_nobody(value) and not value.lower().startswith("nt ")


_USER: Final = r"(?P<v>[^\W\d][\w.$-]{0,62}[\w$]|[^\W\d_])(?![\w@$-])"
_LOGIN: Final = r"(?:[\w.-]{1,40}(?:\\{1,8}))?"
_HOST: Final = r"(?P<v>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?![a-z0-9_-])"

_USER_NAMES: Final = (
    r"(?:account[ _]?name|user[ _]?name|user[ _]?id|logon[ _]?name|sam[ _]?account[ _]?name|login|acct|r?user"
    r"|logname|invoked by|run as|owner|upn)"
)
_USER_WORDS: Final = ("user", "name", "login", "acct", "invoked", "run as", "owner", "upn")
_HOST_NAMES: Final = (
    r"(?:computer(?:[ _]?name)?|host[ _-]?name|machine[ _]?name|workstation(?:[ _]?name)?|node[ _]?name"
    r"|system[ _]name|server[ _]?name)"
)
_HOST_WORDS: Final = ("computer", "host", "machine", "workstation", "node", "system", "server")

_FORMS: Final = (
    _form("sid", r"(?<![\w-])(?P<v>S-1-(?:5-21|12-1)(?:-\d{1,10}){3,5})(?![\d-])", "s-1-"),
    # Subscriptions, tenants, machines
    _form(
        "subscription",
        rf"(?:subscriptions{_SLASH}|subscription[ _-]?(?:id)?{_IS}|subscription(?:[ _]id)? ['\"]?)"
        rf"(?P<v>{_GUID}){_NAME_END}",
        "subscription",
        is_one=_is_guid,
    ),
    _form(
        "tenant",
        rf"(?:tenants{_SLASH}|tenant[ _-]?(?:id)?{_IS}|\btid{_IS}|directory[ _]?id{_IS}|tenant(?:[ _]id)? ['\"]?"
        rf"|(?:login\.(?:microsoftonline|windows)\.[a-z]{{2,3}}|sts\.windows\.net){_SLASH})(?P<v>{_GUID}){_NAME_END}",
        "tenant",
        "tid",
        "login.",
        "sts.",
        "directory",
        is_one=_is_guid,
    ),
    _form(
        "vm",
        rf"(?:vm[ _-]?(?:unique)?[ _-]?id|virtual[ _-]?machine[ _-]?(?:unique)?[ _-]?id|machine[ _-]?id|azure vm id)"
        rf"(?:{_IS}|\s{{1,4}})(?P<v>{_GUID}){_NAME_END}",
        "vm",
        "machine",
        is_one=_is_guid,
    ),
    _form("vm", rf"\b(?:vmName|virtualMachineName|azureVmName){_IS}(?P<v>[\w][\w.-]{{0,63}})", "vmname", "machinename"),
    _form(
        "resource-group",
        rf"(?:resourceGroups{_SLASH}|resource[ _]?group(?:[ _]?name)?{_IS})(?P<v>[\w(][\w.()-]{{0,89}})",
        "resourcegroup",
        "resource group",
        "resource_group",
        is_one=lambda value: not is_account_of_nobody(value),
    ),
    _form("resource-group", r"iaasvmcontainerv?2?;(?P<v>[\w.()-]{1,90});", "iaasvmcontainer"),
    _form("vm", r"iaasvmcontainerv?2?;[\w.()-]{1,90};(?P<v>[\w.-]{1,64})", "iaasvmcontainer"),
    _form(
        "storage-account",
        r"(?<![\w.-])(?P<v>[a-z0-9-]{3,63})(?=\.(?:[a-z0-9]{1,8}\.)?(?:blob|file|queue|table|dfs|web)\.(?:core|storage)\.)",
        ".core.",
        ".storage.",
    ),
    _form("storage-account", rf"\bstorage[ _]?account(?:[ _]?name)?{_IS}(?P<v>[a-z0-9]{{3,24}}){_NAME_END}", "storage"),
    _form("storage-account", rf"\bAccountName{_IS}(?P<v>[a-z0-9]{{3,24}})(?=;)", "accountname"),
    _form("vault", r"(?<![\w.-])(?P<v>[a-z0-9-]{3,63})(?=\.(?:vault|vaultcore)\.)", ".vault"),
    _form("vault", rf"\b(?:key)?vault(?:[ _]?name){_IS}(?P<v>[a-z][\w-]{{1,63}})", "vault"),
    _form(
        "resource",
        r"(?<![\w.-])(?P<v>[a-z0-9-]{3,63})(?=\.(?:azurewebsites|database\.windows|servicebus\.windows|azurecr"
        r"|redis\.cache\.windows|documents\.azure|[a-z]{2}\.backup\.windowsazure)\.(?:net|io|com))",
        ".azure",
        ".windows",
    ),
    _form(
        "host",
        rf"(?<![\w.-]){_HOST}(?=\.[a-z0-9]{{4,20}}\.cloudapp\.azure\.com|\.cloudapp\.(?:azure\.com|net))",
        "cloudapp",
    ),
    # Addresses
    _form(
        "mac",
        r"(?<![\w:-])(?P<v>[0-9a-f]{2}(?:(?::[0-9a-f]{2}){13}|(?::[0-9a-f]{2}){7}|(?::[0-9a-f]{2}){5}))(?![\w:-])",
        ":",
    ),
    _form(
        "mac",
        r"(?<![\w:-])(?P<v>[0-9a-f]{2}(?:(?:-[0-9a-f]{2}){13}|(?:-[0-9a-f]{2}){7}|(?:-[0-9a-f]{2}){5}))(?![\w:-])",
        "-",
    ),
    _form("mac", rf"\b(?:mac|physical)[ _-]?(?:address)?{_IS}(?P<v>[0-9a-f]{{12}}){_NAME_END}", "mac", "physical"),
    # Accounts
    _form(
        "user", rf"(?<![\w.-])(?:/var)?(?:/home/|\\{{1,8}}/home\\{{1,8}}/|%2Fhome%2F){_USER}", "home", is_one=_is_user
    ),
    _form(
        "user",
        rf"(?:\b[a-z](?::|%3A){_BACKSLASH}|(?<![\w.])/)(?:Users|Documents and Settings){_BACKSLASH}"
        r"(?P<v>[^\W_][\w.$-]{0,40}(?:[ ][\w.$-]{1,40}){0,2}(?=[\\/%])|[^\W_][\w.$-]{0,62})",
        "users",
        "settings",
        is_one=_is_user,
    ),
    _form(
        "user",
        r"(?:^|[/!])(?:home|Users|Documents and Settings)/(?P<v>[^\W_][\w.$-]{0,40}(?:[ ][\w.$-]{1,40}){0,2})(?=/)",
        "home/",
        "users/",
        "settings/",
        is_one=_is_user,
    ),
    _form("user", rf"(?:{_BEGIN}|(?<=[a-z])){_USER_NAMES}{_IS}{_LOGIN}{_USER}(?!=)", *_USER_WORDS, is_one=_is_user),
    _form(
        "user",
        rf"\b(?:(?:for|of|by|as|invalid|authenticating|illegal|unknown|new|logged in) user(?: name)?|user) ['\"]?"
        rf"{_LOGIN}{_USER}"
        r"(?:(?<=[0-9])|(?=['\"]?[ ,.;:(\n]|['\"]?$))(?!=)",
        " user ",
        "for user",
        is_one=_is_user,
    ),
    _form(
        "user",
        rf"\b(?:accepted|failed|postponed) \S{{1,40}} for (?:invalid user )?{_USER} from",
        " for ",
        is_one=_is_user,
    ),
    _form("user", rf"\bby {_USER}(?=\(uid=)", "(uid=", is_one=_is_user),
    _form("user", r"\b[egf]?[ug]id=\d{1,10}\((?P<v>[^()\s]{1,64})\)", "id=", is_one=_is_user),
    _form(
        "user",
        rf"\b(?:sudo|su|runuser|doas)(?:\[\d{{1,10}}\])?:\s{{1,8}}(?:\(to [\w.-]{{1,64}}\) )?{_USER}(?= : | on )",
        "su",
        is_one=_is_user,
    ),
    _form("user", rf"\(to {_USER}\)", "(to ", is_one=_is_user),
    _form("user", rf"\({_USER}\) (?:CMD|LIST|BEGIN|END|REPLACE|RELOAD|CMDOUT)\b", ") ", is_one=_is_user),
    _form("user", rf"\bnew (?:user|group|account)\S*: name={_USER}", "name=", is_one=_is_user),
    _form("user", rf"(?m)^{_USER}:[x*!]:[1-9]\d{{3,9}}:\d", ":x:", ":*:", ":!:", is_one=_is_user),
    _form(
        "user",
        r"(?m)^[^:\s]{1,64}:[x*!]:[1-9]\d{3,9}:\d{1,10}:(?P<v>[^:\n,]{3,64})",
        ":x:",
        ":*:",
        ":!:",
        is_one=_is_user,
    ),
    _form(
        "user", rf"(?m)^[-dlbcps][-rwxsStT]{{9}}[.+@]?\s{{1,8}}\d{{1,8}}\s{{1,8}}{_USER}", "rw", "r-", is_one=_is_user
    ),
    _form("host", rf"(?:{_BEGIN}|(?<=[a-z])){_HOST_NAMES}{_IS}{_HOST}", *_HOST_WORDS, is_one=_is_host),
    _form(
        "domain",
        rf"{_HOST_NAMES}{_IS}[a-z0-9-]{{1,63}}\.(?P<v>(?:[a-z0-9-]{{1,63}}\.){{0,6}}[a-z]{{2,24}})(?![\w-])",
        *_HOST_WORDS,
        is_one=_is_domain,
    ),
    _form(
        "domain",
        rf"\b(?:(?:account|target|subject|logon|user|dns|ad)[ _]?(?:dns)?domain(?:[ _]?name)?|dns suffix){_IS}"
        r"(?P<v>[a-z0-9][a-z0-9.-]{0,61}[a-z0-9])(?![\w-]|[ ][A-Z])",
        "domain",
        "suffix",
        is_one=_is_domain,
    ),
    _form(
        "domain",
        r"(?m)^(?:search|domain)[ \t]{1,8}(?P<v>[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,6})",
        "search",
        "domain",
        is_one=_is_domain,
    ),
)


def find_identities(text: str) -> list[Secret]:
    """What names a person, a machine or a customer, from left to right; nothing overlaps. Tokens are left alone."""
    lowered = text.lower()
    found = [one for form in _FORMS if any(word in lowered for word in form.words) for one in _of_form(form, text)]
    found += _emails(text) if "@" in text or "%40" in text else ()
    found += _addresses(text)
    found += _resources(text) if "providers" in lowered else ()
    if not found:
        return []
    tokens = [one.span() for one in TOKEN.finditer(text)]
    return list(_without_overlaps(found, tokens))


def _of_form(form: _Form, text: str) -> Iterator[Secret]:
    for one in form.pattern.finditer(text):
        if form.is_one(one["v"]):
            value = one["v"].lower()
            yield Secret(*one.span("v"), form.kind, re.sub("[:-]", "", value) if form.kind == "mac" else value)


def _without_overlaps(found: Iterable[Secret], tokens: list[tuple[int, int]]) -> Iterator[Secret]:
    """The earlier wins, of two at one place the longer; nothing wins over a token."""
    end, token = 0, 0
    for one in sorted(found, key=lambda each: (each.start, -each.end)):
        while token < len(tokens) and tokens[token][1] <= one.start:
            token += 1
        if one.start >= end and (token == len(tokens) or one.end <= tokens[token][0]):
            yield one
            end = one.end


_EMAIL: Final = LazyPattern(
    r"(?:(?<=\\[nrt])|(?<![\w.%+\\-]))(?P<v>[\w.%+-]{1,64}?(?:@|%40)(?:[a-z0-9-]{1,63}\.){1,8}(?P<top>[a-z]{2,24}))(?![\w-])",
    re.IGNORECASE,
)
#: Endings of systemd's units: ``getty@tty1.service`` is no address.
_UNITS: Final = frozenset(
    ("service", "socket", "slice", "timer", "mount", "automount", "target", "device", "scope", "path", "swap")
)


def _emails(text: str) -> Iterator[Secret]:
    for one in _EMAIL.finditer(text):
        if one["top"].lower() not in _UNITS:
            yield Secret(*one.span("v"), "email", one["v"].replace("%40", "@").lower())


_QUAD: Final = LazyPattern(
    r"(?:(?<![^\W_])|(?<=\\[nrt])|(?<=%[0-9A-F]{2}))(?<!\d\.)(?<![a-z]\.)(?P<v>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?![^\W_]|\.\d)",
    re.IGNORECASE,
)
_SIX: Final = LazyPattern(
    r"(?:(?<![\w:.])|(?<=\\[nrt])|(?<=%[0-9A-F]{2}))(?P<v>(?:[0-9a-f]{1,4})?(?::[0-9a-f]{0,4}){2,7})(?![\w:]|\.\d)",
    re.IGNORECASE,
)
#: Before a version; and before or behind an address, where the number alone could be both.
_VERSION_BEFORE: Final = LazyPattern(r"(?:version[^\n,;]{0,24}|\b(?:ver|v|release|build)\b\W{0,6})\Z", re.IGNORECASE)
_ADDRESS_BEFORE: Final = LazyPattern(
    r"(?:\b|_)(?:ip|ipv4|ipaddr|addr|address(?:es)?|inet|server|gateway|gw|router|dns|via|src|dst|saddr|daddr|rhost|peer|client"
    r"|remote|local|source|destination|endpoint|nameserver|proxy|listen(?:ing)?|:/|@)[\"'\\]{0,6}(?:\s?(?:is|on|[:=>(/\[]))?"
    r"[\s\"'\\/(\[]{0,6}\Z",
    re.IGNORECASE,
)
_ADDRESS_BEHIND: Final = LazyPattern(r":\d{2,5}(?!\d)|/\d{1,2}(?!\d)| port \d", re.IGNORECASE)
#: Versions begin with small numbers, networks of customers do not.
_FIRST_OF_NETWORKS: Final = 10


def _addresses(text: str) -> Iterator[Secret]:
    for one in _QUAD.finditer(text):
        value = one["v"]
        try:
            address = IPv4Address(value)
        except AddressValueError:
            continue
        if not is_address_of_nobody(address) and not _is_version(
            text, one.start("v"), one.end("v"), int(address) >> 24
        ):
            yield Secret(*one.span("v"), "ip", value)
    if "::" not in text and text.count(":") < 7:
        return
    for one in _SIX.finditer(text):
        value = one["v"].lower()
        groups = [group for group in value.split(":") if group]
        try:
            six = IPv6Address(value)
        except AddressValueError:
            continue
        if len(groups) > 1 and any(char.isdigit() for char in value) and not is_address_of_nobody(six):
            yield Secret(*one.span("v"), "ip", str(six))


def _is_version(text: str, start: int, end: int, first: int) -> bool:
    """Whether four numbers with dots are a version: by the words around them, else by their size."""
    before = text[max(0, start - 48) : start]
    if _VERSION_BEFORE.search(before):
        return True
    if re.search(r"[A-Za-z]-\Z", before):
        return first < 2 * _FIRST_OF_NETWORKS and first != _FIRST_OF_NETWORKS
    is_address = _ADDRESS_BEFORE.search(before) or _ADDRESS_BEHIND.match(text, end)
    return first < _FIRST_OF_NETWORKS and not is_address


_PROVIDER: Final = LazyPattern(rf"providers{_SLASH}[\w.]{{1,80}}", re.IGNORECASE)
_TYPE_AND_NAME: Final = LazyPattern(
    rf"{_SLASH}(?P<type>[A-Za-z]{{2,60}}){_SLASH}(?P<v>[\w][\w.()-]{{0,127}})", re.IGNORECASE
)
_KIND_OF_TYPE: Final[Mapping[str, str]] = {
    "virtualmachines": "vm",
    "vaults": "vault",
    "storageaccounts": "storage-account",
}
#: Types whose names are the platform's own, or are told apart elsewhere.
_PUBLIC_TYPES: Final = frozenset(
    """
    extensions locations operations publishers artifacttypes offers skus versions roledefinitions policydefinitions
    policysetdefinitions backupfabrics protectioncontainers protecteditems backupjobs eventtypes features usages
    instanceview operationresults operationstatuses backupprotectioncontainers recoverypoints
    """.split()  # noqa: SIM905  (a list of words reads better so)
)


def _resources(text: str) -> Iterator[Secret]:
    """The names in the id of a resource, behind the type of each."""
    for provider in _PROVIDER.finditer(text):
        at = provider.end()
        while (step := _TYPE_AND_NAME.match(text, at)) is not None:
            kind, at = step["type"].lower(), step.end()
            if kind not in _PUBLIC_TYPES:
                yield Secret(*step.span("v"), _KIND_OF_TYPE.get(kind, "resource"), step["v"].lower())


#: Kinds of ids that nothing ordinary looks like.
_UNLIKE_WORDS: Final = frozenset({"email", "mac", "sid", "subscription", "tenant"})
_SHORTEST_NAME: Final = 4


def is_found_anywhere(kind: str, value: str) -> bool:
    """Whether a name that is told once is hidden wherever it stands as a word: not one that looks ordinary."""
    if kind in _UNLIKE_WORDS:
        return True
    if kind == "ip" or len(value) < _SHORTEST_NAME or is_common(value) or not any(char.isalpha() for char in value):
        return False
    return kind in ("host", "user", "vm", "domain") or any(char.isdigit() or char in "-_." for char in value)
