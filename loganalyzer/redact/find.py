"""Where the secrets of a text are: one pass from left to right, one anchor at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from loganalyzer.lazy_pattern import LazyPattern
from loganalyzer.redact.kinds import TOKEN, Secret
from loganalyzer.redact.names import Name, alternation, family, is_prose, says_nothing
from loganalyzer.redact.payload import texts_behind
from loganalyzer.redact.syntax import (
    QUOTE,
    SPACE,
    bare_end,
    bracket_end,
    canonical,
    line_end,
    quoted_end,
)


class _Found(Struct, frozen=True):
    """What an anchor led to: a secret or nothing, and where the search goes on."""

    resume: int
    secret: Secret | None = None


_SAS_NAMES = "skoid|sktid|saoid|suoid|scid|skt|ske|sks|skv|sig|srt|spr|sip|sdd|se|st|sp|sr|ss|sv|sk"
_EQUALS = r"(?:=|%(?:25)?3[dD]|\\++u003[dD])"
_SAS_VALUE = r"""(?:[^&\s"'<>\\;,\[\](){}%]|%(?!(?:25)?2[267]))++"""
_SAS_PARAMETER = rf"(?:{_SAS_NAMES}){_EQUALS}{_SAS_VALUE}"
# An escaped character begins at the first of its backslashes only, so that a long run of them is read once.
_AND = r"(?:&(?:amp;)*+|(?<!\\)\\++u0026|%(?:25)?26)"
_BASE64 = r"(?:[A-Za-z0-9+/]|\\++/)"
_NEW_LINE = r"(?:\r?\n|(?:\\++r)?\\++n)"

#: The anchors, tried in this order at each character. Each group name has its reader in ``_READERS``.
_ANCHOR: Final = LazyPattern(
    "|".join(
        (
            rf"(?P<token>{TOKEN.pattern})",
            r"(?P<pem>-----BEGIN\ [A-Z0-9 ]{0,40}-----)",
            r"(?P<pem_tail>-----END\ [A-Z0-9 ]{0,30}PRIVATE\ KEY[A-Z ]{0,10}-----)",
            rf"(?P<xml>(?:<|&lt;)[\w.:-]{{0,64}}?{alternation(xml=True)}"
            r"(?:\s(?:[^<>&]|&(?!gt;))*+)?+(?:>|&gt;))",
            r"(?P<der_xml><Data>\s*+MII[A-Za-z0-9+/=\s]*+(?=<))",
            rf"(?P<sas>(?:\?|%(?:25)?3F|(?<!\\)\\++u003F|{_AND}){_SAS_PARAMETER}(?:{_AND}{_SAS_PARAMETER})*+)",
            rf"(?P<signature>(?:(?<![A-Za-z0-9_])|(?<=%3B)|(?<=%20))sig{_EQUALS}[A-Za-z0-9%+/=_-]{{20,}}+)",
            r"(?P<userinfo>://[^/\s:@\"'<>]*+:[^/\s\"'<>]*@)",
            r"(?P<user_token>://[A-Za-z0-9_-]{20,}+@)",
            r"(?P<leak>JSON\ (?:exception\ decoding|error\ processing\ settings\ file:))",
            r"(?P<custom_settings>customSettings\ :\ )",
            r"(?P<authorization>authorization)",
            r"(?P<bearer>(?<![A-Za-z])bearer\s++(?=[A-Za-z._~+/=-]*[0-9])[A-Za-z0-9._~+/=-]{16,}+)",
            rf"(?P<named>{alternation()})",
            r"(?P<jwt>(?-i:(?<![A-Za-z0-9_-])eyJ)(?:[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]++)*+"
            r"|[A-Za-z0-9+/=_-]{40,}+))",
            rf"(?P<der>(?-i:(?<![A-Za-z0-9+/=])MII){_BASE64}{{60,}}+={{0,2}}(?:{_NEW_LINE}{_BASE64}{{60,}}+={{0,2}})*+"
            rf"(?:{_NEW_LINE}{_BASE64}{{2,}}+={{0,2}}(?=\s*$|\s*[\r\n\"<\\]))?+)",
            r"(?P<storage_key>(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=]))",
            r"(?P<crypt>\$(?:1|2[abxy]?|5|6|7|g?y)\$[./A-Za-z0-9$,=-]{20,}+)",
            r"(?P<identified>identified\s++by\s++(?:password\s++)?+(?=\\*+['\"]))",
            r"(?P<cookie>(?<![A-Za-z])(?:set-)?+cookie2?+\\*+[\"']?+\s*+[:=]\s*+(?=\S))",
            r"(?P<option>(?<![A-Za-z0-9])(?:sshpass\s++-p\s*+|curl\s[^\n]{0,200}?\s(?:-u|--user)[\s=]++[\"']?+[^\s:\"']{1,64}+:"
            r"|net\s++use\s[^\n]{0,200}?\s(?=[^\s/\\*:]++\s++/u(?:ser)?:)|(?:schtasks|sqlcmd|bcp|osql|psexec(?:64)?+)(?:\.exe)?+\s"
            r"[^\n]{0,200}?\s[-/](?:rp|p)\s++|mysql(?:dump|admin)?+\s[^\n]{0,200}?\s-p(?=[^\s])))",
            r"(?P<shape>(?-i:(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36,}+|github_pat_[A-Za-z0-9_]{22,}+|xox[abprs]-[A-Za-z0-9-]{10,}+"
            r"|AKIA[A-Z0-9]{16}(?![A-Za-z0-9])|[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}+|AQAAANCMnd8BFdERjHoAwE[A-Za-z0-9+/=]++)))",
            rf"(?P<payload>(?<![A-Za-z0-9+/=])(?=[A-Za-z0-9+/])(?:{_BASE64}{{40,}}+|(?:[0-9A-Fa-f]{{2}},(?:\\?\s++)?+){{16,}}+(?:[0-9A-Fa-f]{{2}})?+)"
            rf"={{0,2}}+(?:{_NEW_LINE}\s*+(?!eyJ|MII){_BASE64}{{40,}}+={{0,2}}+)*+(?:{_NEW_LINE}\s*+{_BASE64}{{2,}}+={{0,2}}(?=\s*$|\s*[\r\n\"<\\]))?+)",
        )
    ),
    re.IGNORECASE | re.ASCII,
)

#: Each anchor holds one of these (in lower case); a text without any has no secret. For scans over whole columns.
LITERALS: Final = (
    *("-----begin", "-----end", "://", "<data>", "=", "%3d", "u003d", "json e", "customsettings : "),
    *("authorization", "bearer", "eyj", "mii", "==", "$", "password", "passwd", "pass", "pwd", "key", "signature"),
    *("token", "secret", "cred", "string", "custom", "settings", "blob", "object", "command", "script", "uri"),
    *(
        "identified",
        "cookie",
        "sshpass",
        "curl",
        "net ",
        "use ",
        "schtasks",
        "sqlcmd",
        "bcp",
        "osql",
        "psexec",
        "mysql",
    ),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox", "akia", "q~", "aqaaancmnd8"),
)
#: What a payload has and no literal tells: a long run of base64 or hexadecimal digits.
PAYLOAD_RUN: Final = r"[A-Za-z0-9+/\\]{40}|(?:[0-9A-Fa-f]{2},){16}"
_PAYLOAD_RUN: Final = LazyPattern(PAYLOAD_RUN)

#: What stands for numbers in the template of a message. A secret may hold some; here they read as digits.
_PLACEHOLDER: Final = "<*>"


def may_hold_secret(text: str) -> bool:
    """Whether it is worth looking: quick, and wrong in one direction only."""
    lowered = text.lower()
    return any(literal in lowered for literal in LITERALS) or _PAYLOAD_RUN.search(text) is not None


def find_secrets(text: str, depth: int = 0) -> Iterator[Secret]:
    """The secrets of a text from left to right; they do not overlap. Tokens that stand for secrets are left alone.

    ``depth``: in how many payloads inside each other the text stood.
    """
    if not may_hold_secret(text):
        return
    text = text.replace(_PLACEHOLDER, "0" * len(_PLACEHOLDER))
    at, floor = 0, 0
    while (anchor := _ANCHOR.search(text, at)) is not None:
        read = _READERS[anchor.lastgroup or ""]
        found = _read_payload(text, anchor, depth) if read is _payload else read(text, anchor, floor)
        if found.secret is not None:
            yield found.secret
            floor = found.secret.end
        at = max(found.resume, anchor.start() + 1)


def _secret(
    text: str,
    start: int,
    end: int,
    kind: str,
    *,
    resume: int | None = None,
    value: str | None = None,
    quote: str = "",
) -> _Found:
    """The secret from ``start`` to ``end``, unless that says nothing or is a token already."""
    written = text[start:end]
    resume = end if resume is None else resume
    if says_nothing(written) or TOKEN.match(written):
        return _Found(resume)
    return _Found(resume, Secret(start, end, kind, canonical(written) if value is None else value, quote))


def _read_token(text: str, anchor: re.Match[str], floor: int) -> _Found:
    return _Found(anchor.end())


def _read_pem(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """A private key that is cut off is hidden to the end; of a cut certificate the base64 alone is (``der``)."""
    label = anchor.group().upper()
    private = "PRIVATE" in label
    if "PUBLIC" in label:
        return _Found(anchor.end())
    mark = _PEM_MARK.search(text, anchor.end())
    ended = mark is not None and mark["what"].upper() == "END"
    if not ended and not private:
        return _Found(anchor.end())
    end = len(text) if mark is None else mark.end() if ended else mark.start()
    return _secret(text, anchor.start(), end, "private-key" if private else "certificate")


_PEM_MARK: Final = LazyPattern(r"-----(?P<what>BEGIN|END) [A-Z0-9 ]{0,40}-----", re.IGNORECASE | re.ASCII)
_BASE64_LINES: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\\ \t\r\n"


def _read_pem_tail(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """The end of a key whose beginning lies in an earlier entry."""
    before = text[floor : anchor.start()]
    start = floor + len(before.rstrip(_BASE64_LINES))
    return _secret(text, start, anchor.end(), "private-key")


def _read_xml(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """The content of an element; without a closing tag, to the end of the line unless prose goes on there."""
    opening = anchor.group()
    bracket = "&lt;" if opening.startswith("&") else "<"
    tag = re.split(r"[\s>&]", opening.removeprefix(bracket), maxsplit=1)[0]
    if opening.rstrip(">").endswith("/"):
        return _Found(anchor.end())
    start = anchor.end()
    closing, cut = _element_end(text, start, bracket, tag)
    content = text[start:closing]
    first, last = start + len(content) - len(content.lstrip()), start + len(content.rstrip())
    if first < last and cut:
        last = min(last, line_end(text, first))
    if first >= last or (cut and is_prose(text[first:last].split(maxsplit=1)[0])):
        return _Found(start)
    return _secret(text, first, last, family([*_LAST_NAME.finditer(tag)][-1][0]).kind)


_LAST_NAME: Final = LazyPattern(alternation(xml=True), re.IGNORECASE | re.ASCII)


def _element_end(text: str, start: int, bracket: str, tag: str) -> tuple[int, bool]:
    """Where the content of an element ends, and whether its closing tag was missing.

    A few elements inside are part of it (``<Password><Value>x</Value></Password>``); so is a CDATA section.
    """
    at, first = start, len(text)
    for _ in range(8):
        if text.startswith("<![CDATA[", at):
            at = text.find("]]>", at)
            if at == -1:
                return len(text), False
        at = text.find(bracket, at)
        if at == -1:
            return min(first, len(text)), True
        if text.startswith(f"{bracket}/{tag}", at):
            return at, False
        first = min(first, at)
        at += 0 if text.startswith("<![CDATA[", at) else len(bracket)
    return first, True


def _read_der_xml(text: str, anchor: re.Match[str], floor: int) -> _Found:
    return _secret(text, anchor.start() + len("<Data>"), anchor.end(), "certificate")


_SAS_LEAD: Final = LazyPattern(rf"\?|%(?:25)?3F|\\++u003F|{_AND}", re.IGNORECASE | re.ASCII)
_SIGNATURE: Final = LazyPattern(rf"(?:^|[?&;])sig{_EQUALS}([^&]*)", re.IGNORECASE | re.ASCII)


def _read_sas(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """A run of SAS parameters. The signature is the secret; without one, the run is."""
    lead = _SAS_LEAD.match(text, anchor.start())
    start = lead.end() if lead else anchor.start()
    end = start + len(text[start : anchor.end()].rstrip(".:"))
    plain = canonical(text[start:end])
    signature = _SIGNATURE.search(plain)
    return _secret(text, start, end, "sas", value=signature[1] if signature else plain)


_EQUALS_SIGN: Final = LazyPattern(_EQUALS, re.IGNORECASE | re.ASCII)


def _read_signature(text: str, anchor: re.Match[str], floor: int) -> _Found:
    start = anchor.start() + len("sig")
    lead = _EQUALS_SIGN.match(text, start)
    return _secret(text, lead.end() if lead else start, anchor.end(), "sas")


def _read_userinfo(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """``user:password`` before the ``@`` of a URL: both go, the password is the secret."""
    start, end = anchor.start() + len("://"), anchor.end() - 1
    password = text[start:end].partition(":")[2]
    if not password:
        return _Found(anchor.end())
    return _secret(text, start, end, "password", value=canonical(password))


def _read_user_token(text: str, anchor: re.Match[str], floor: int) -> _Found:
    return _secret(text, anchor.start() + len("://"), anchor.end() - 1, "token")


#: The next record of a log: linux.md 2.5, all stamp layouts begin with a year and a month.
_NEXT_RECORD: Final = LazyPattern(r"\n(?=\[?\d{4}[/-]\d{2}[/-]\d{2})")


def _read_leak(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """Versions of the snapshot extension up to the 2025-12 sample log decrypted settings here (linux.md fact 16)."""
    next_record = _NEXT_RECORD.search(text, anchor.end())
    end = next_record.start() if next_record else len(text)
    rest = text[anchor.end() : end].strip()
    if rest in ("", "settings file", "decrypted protected settings"):
        return _Found(anchor.end())
    start = text.index(rest[0], anchor.end())
    return _secret(text, start, start + len(rest), "protected-settings")


def _read_custom_settings(text: str, anchor: re.Match[str], floor: int) -> _Found:
    return _secret(text, anchor.end(), line_end(text, anchor.end()), "settings")


_AUTHORIZATION: Final = LazyPattern(
    rf"(?:{QUOTE})?+{SPACE}(?:[:=]|%3A|%3D){SPACE}(?P<open>{QUOTE})?+"
    r"(?P<scheme>(?:bearer|basic|sharedkey(?:lite)?|sharedaccesssignature|digest|negotiate|ntlm|aws4-hmac-sha256)"
    r"(?:\s|%20|\+)++)?+",
    re.IGNORECASE | re.ASCII,
)
_CREDENTIAL: Final = LazyPattern(r"""[^\s"'<>,;&\\]*+""")


def _read_authorization(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """A header in any syntax. Without a known scheme only what looks random is hidden."""
    head = _AUTHORIZATION.match(text, anchor.end())
    if head is None:
        return _Found(anchor.end())
    start, resume = head.end(), None
    if head["open"]:
        end, resume = quoted_end(text, start, head["open"])
    elif (head["scheme"] or "").lower().startswith("digest"):
        end = line_end(text, start)
    else:
        end = max(start, _CREDENTIAL.match(text, start).end())  # type: ignore[union-attr]  # matches nothing, too
    if not head["scheme"] and not _looks_random(text[start:end]):
        return _Found(head.end())
    return _secret(text, start, end, "token", resume=resume)


def _looks_random(value: str) -> bool:
    return len(value) >= 16 and any(char.isdigit() for char in value) and not any(char.isspace() for char in value)


def _read_bearer(text: str, anchor: re.Match[str], floor: int) -> _Found:
    start = anchor.start() + len("bearer")
    start += len(text[start : anchor.end()]) - len(text[start : anchor.end()].lstrip())
    return _secret(text, start, anchor.end(), "token")


_AFTER_NAME: Final = LazyPattern(
    rf"(?P<close>{QUOTE})?+(?:"
    rf"(?P<tag>\s*+>)"
    rf"|(?P<pair>{SPACE},?+{SPACE}(?:{QUOTE})?+value(?:{QUOTE})?+{SPACE}[:=]{SPACE})"
    rf"|(?P<sep>{SPACE}(?:=>|[:=]|%(?:25)?3[AaDd]|\\++u003[dD]|&\#61;){SPACE})"
    rf"|(?P<arg>(?:,{SPACE})(?={QUOTE})|[^\S\n]++)"
    rf")(?:[ubN](?=[\\'\"]))?+(?P<open>{QUOTE})?+",
    re.IGNORECASE | re.ASCII,
)
_KEY_BEFORE: Final = LazyPattern(r"(?:[\"';]|%2[27]|u002[27])$")
_OPTION_BEFORE: Final = LazyPattern(r"(?:^|[\s\"'=,(\[])--?[A-Za-z0-9_-]{0,30}$")


def _read_named(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """A name and the value after it, if the name's form allows the way that it is written."""
    name, after = family(anchor.group()), _AFTER_NAME.match(text, anchor.end())
    if after is None or not _is_written_like(name, text, anchor, after):
        return _Found(anchor.end())
    start = after.end()
    if after["open"]:
        end, resume = quoted_end(text, start, after["open"])
        return _secret(text, start, end, name.kind, resume=resume)
    if after["tag"]:
        end = text.find("<", start)
        return _secret(text, start, len(text) if end == -1 else end, name.kind)
    if after["close"] and text[start : start + 1] in ("[", "{") and start < len(text):
        return _secret(text, start, bracket_end(text, start), name.kind, quote=after["close"])
    return _read_bare(name, text, anchor, after)


def _is_written_like(name: Name, text: str, anchor: re.Match[str], after: re.Match[str]) -> bool:
    if after["arg"] is not None:
        before = text[max(0, anchor.start() - 40) : anchor.start()]
        return name.form == "loose" and _OPTION_BEFORE.search(before) is not None
    if after["tag"] or after["pair"]:
        return after["close"] is not None
    if name.form == "keyed":
        before = text[max(0, anchor.start() - 6) : anchor.start()]
        return after["close"] is not None and _KEY_BEFORE.search(before) is not None
    return True


def _read_bare(name: Name, text: str, anchor: re.Match[str], after: re.Match[str]) -> _Found:
    """A value without quotes: certain after ``=`` and JSON keys, to be doubted after ``:``, where prose goes on."""
    start, sep = after.end(), after["sep"] or after["arg"] or after["pair"] or ""
    if name.form == "keyed" or "\n" in sep or TOKEN.match(text, start):
        return _Found(start)
    if name.kind == "key" and name.form == "assigned" and sep == " : ":  # DiskEncryptionSettings of extension.log
        return _secret(text, start, line_end(text, start), name.kind)
    end = bare_end(text, start, encoded="%" in sep)
    value = text[start:end]
    if value.startswith(_OPENSSL) or f"{value}:" in _OPENSSL:  # openssl's -password pass:SECRET, env:NAME, ...
        given = value.partition(":")
        start += len(given[0] + given[1])
        value = given[2]
        if f"{given[0]}:" != "pass:" or not value:
            return _Found(start)
    if anchor.group().lower() == "pwd" and re.match(r"/|[A-Za-z]:", value):  # $PWD of an environment dump
        return _Found(start)
    colon = ":" in sep or "3a" in sep.lower()
    if (colon or after["arg"]) and not after["close"] and _is_doubtful(name, sep, value):
        return _Found(start)
    if name.kind == "protected-settings" and len(value) < 16:
        return _Found(start)
    return _secret(text, start, end, name.kind)


_OPENSSL: Final = ("pass:", "env:", "file:", "fd:")


def _is_doubtful(name: Name, sep: str, value: str) -> bool:
    if name.form == "assigned" or value.startswith("-") or is_prose(value):
        return True
    return name.kind == "token" and not sep.startswith(" ") and not _looks_random(value) and not _is_mixed(value)


_MIXED: Final = LazyPattern(r"(?!0x)(?!v?\d+(?:\.\d+)+$)(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_~+/=-]{5,}")


def _is_mixed(value: str) -> bool:
    """Whether letters and digits stand together, as in no word and no number: ``9f3k2``, not ``0x1f2a`` or ``v1.2``."""
    return _MIXED.fullmatch(value) is not None


_IDENTIFIED_BY: Final = LazyPattern(QUOTE)


def _read_identified(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """SQL: ``CREATE USER a IDENTIFIED BY 'password'``."""
    opening = _IDENTIFIED_BY.match(text, anchor.end())
    if opening is None:
        return _Found(anchor.end())
    end, resume = quoted_end(text, opening.end(), opening.group())
    return _secret(text, opening.end(), end, "password", resume=resume)


_COOKIES_JUDGED: Final = 512
_COOKIES: Final = LazyPattern(r"""[^\s"'<>][^\r\n"'<>]*+""")


def _read_cookie(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """All cookies of a header, if any has a value that looks random."""
    start = anchor.end()
    found = _COOKIES.match(text, start, start + _COOKIES_JUDGED)
    is_random = found is not None and any(_looks_random(part.strip()) for part in re.split("[=;]", found.group()))
    whole = _COOKIES.match(text, start) if is_random else None
    return _Found(start) if whole is None else _secret(text, start, whole.end(), "token")


def _read_option(text: str, anchor: re.Match[str], floor: int) -> _Found:
    """The password of a command line, in the place where that program has it."""
    start = anchor.end()
    opening = _IDENTIFIED_BY.match(text, start)
    if opening is not None:
        end, resume = quoted_end(text, opening.end(), opening.group())
        return _secret(text, opening.end(), end, "password", resume=resume)
    return _secret(text, start, bare_end(text, start, encoded=False), "password")


_DEEPEST_PAYLOAD: Final = 3


def _payload(text: str, anchor: re.Match[str], floor: int) -> _Found:
    return _read_payload(text, anchor, 0)


def _read_payload(text: str, anchor: re.Match[str], depth: int) -> _Found:
    """An encoded text that holds a secret, or more than can be looked through. Others are searched as they stand."""
    texts, is_cut = texts_behind(anchor.group()) if depth < _DEEPEST_PAYLOAD else ([], False)
    if is_cut or any(any(True for _ in find_secrets(inner, depth + 1)) for inner in texts):
        return _secret(text, anchor.start(), anchor.end(), "payload")
    if not texts and (end := _end_of_key_lines(text, anchor)):
        return _secret(text, anchor.start(), end, "private-key")
    return _Found(_behind_payload(anchor))


#: Lines of a key as PEM and MIME have them, the first of which holds letters of both cases and digits.
_KEY_LINES: Final = LazyPattern(
    r"(?=[^a-z\n]*[a-z])(?=[^A-Z\n]*[A-Z])(?=[^0-9\n]*[0-9])"
    r"(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{62}==|[A-Za-z0-9+/]{63}=|[A-Za-z0-9+/]{76})(?=\r?\n|$)"
    r"(?:\r?\n(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{76})(?=\r?\n|$))*"
)


def _end_of_key_lines(text: str, anchor: re.Match[str]) -> int:
    """Where lines end that look like those of a key; 0: they do not. A log that stamps each line takes a key apart."""
    begins = anchor.start() == 0 or text[anchor.start() - 1].isspace()
    found = _KEY_LINES.match(text, anchor.start()) if begins else None
    return 0 if found is None else found.end()


def _behind_payload(anchor: re.Match[str]) -> int:
    """Where to look on: in the last line of several, whose others were all payload, so that none is read twice."""
    run = anchor.group()
    if "," in run:
        return anchor.end()
    last = max(run.rfind("\n"), run.rfind("\\n") + 1)
    return anchor.start() + 1 + max(last, 0)


def _whole(kind: str) -> Callable[[str, re.Match[str], int], _Found]:
    return lambda text, anchor, floor: _secret(text, anchor.start(), anchor.end(), kind)


_READERS: Final[Mapping[str, Callable[[str, re.Match[str], int], _Found]]] = {
    "token": _read_token,
    "pem": _read_pem,
    "pem_tail": _read_pem_tail,
    "xml": _read_xml,
    "der_xml": _read_der_xml,
    "sas": _read_sas,
    "signature": _read_signature,
    "userinfo": _read_userinfo,
    "user_token": _read_user_token,
    "leak": _read_leak,
    "custom_settings": _read_custom_settings,
    "authorization": _read_authorization,
    "bearer": _read_bearer,
    "named": _read_named,
    "jwt": _whole("token"),
    "der": _whole("certificate"),
    "storage_key": _whole("key"),
    "crypt": _whole("password"),
    "identified": _read_identified,
    "cookie": _read_cookie,
    "option": _read_option,
    "shape": _whole("token"),
    "payload": _payload,
}
