"""Text of a copy: secrets become tokens that break no parser, names become stand-ins, and every line stays a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from loganalyzer.redact.identities import find_identities
from loganalyzer.redact.kinds import IDENTITY_KINDS, TOKEN, Secret
from loganalyzer.redact.known_words import KnownWords
from loganalyzer.redact.plugged import find_all
from loganalyzer.redact.redactor import Redactor
from loganalyzer.redact.stand_ins import StandIns, token_in_name

#: Where a new entry of a log begins: a stamp, a priority, a JSON object. What is not closed in an entry ends with it.
_ENTRY: Final = re.compile(
    r"(?m)^(?=\[?\d{4}[-/]\d\d[-/]\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{1,2}/\d{1,2}/\d{2,4}[ ,]"
    r"|<\d{1,3}>|\{|\[ {0,8}\d+\.\d+\])"
)
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_NEAR: Final = 400
_IN_ELEMENT: Final = re.compile(r"<[A-Za-z][\w.:-]{0,80}(?:\s[^<>]{0,300})?>[^<>]*\Z")
_IN_ATTRIBUTE: Final = re.compile(r"""<[A-Za-z][\w.:-]{0,80}\s[^<>]*=\s?["'][^"'<>]*\Z""")
_CLOSING: Final = re.compile(r"[^<>]*</[A-Za-z]")


class CopyRedactor(Redactor):
    """Redacts the files of a copy with the tokens of a survey that has seen all of them.

    ``forms_elsewhere`` and the names of the survey are hidden wherever they stand.
    """

    def __init__(self, survey: Redactor) -> None:
        super().__init__(survey.mode, survey._key)
        self._tokens, self._numbers, self._values = survey._tokens, survey._numbers, survey._values
        self._hosts, self._host_words = survey._hosts, survey._host_words
        self._names, self._elsewhere = survey._names, survey._elsewhere
        self.words: Final = KnownWords(word for word in survey._names)
        self._kinds = {token: token.partition(":")[0].lstrip("<") for token in survey.values}
        named = [value.lower() for token, value in survey.values.items() if self._kinds[token] in IDENTITY_KINDS]
        self.stand_ins: Final = StandIns(named)
        for token, value in survey.values.items():
            if self._kinds[token] in IDENTITY_KINDS:
                self.stand_ins.of(token, self._kinds[token], value)
        self._xml = False

    @staticmethod
    def entries(text: str) -> list[str]:
        """The parts of a file's text that are redacted each for itself: all of XML, else an entry of a log."""
        return [text] if _is_xml(text) else _entries(text)

    def file(self, text: str) -> str:
        """The whole text of a file: entry by entry if it is a log, and again until nothing changes."""
        self._xml = _is_xml(text)
        try:
            return "".join(self._elsewhere_hidden(self.text(part)) for part in self.entries(text))
        finally:
            self._xml = False

    def name(self, path: str) -> str:
        """The path of a file without secrets, with characters that every system allows in names."""
        hidden = self._elsewhere_hidden(self.text(path))
        return TOKEN.sub(lambda token: token_in_name(token[0]), hidden)

    def shown(self, secret: Secret) -> str:
        """What stands for a secret: a stand-in for a name, a token for all else."""
        if secret.kind in IDENTITY_KINDS and self.stand_ins.is_one(secret.value):
            return secret.value
        token = self.token(secret)
        return self._shown(token, secret.value)

    def _shown(self, token: str, value: str) -> str:
        kind = token.partition(":")[0].lstrip("<")
        return self.stand_ins.of(token, kind, value) if kind in IDENTITY_KINDS else token

    def found_in(self, text: str) -> Iterator[Secret]:
        """Everything that has to go from a text, in one reading, from left to right; nothing overlaps."""
        found = list(find_all(text))
        if self.mode == "all":
            found += find_identities(text)
            found += self._known_hosts(text)
        found += [Secret(start, end, self._kind_of(word), word) for start, end, word in self.words.find(text)]
        end = 0
        for one in sorted(found, key=lambda secret: (secret.start, -secret.end)):
            if one.start >= end and not (one.kind in IDENTITY_KINDS and self.stand_ins.is_one(one.value)):
                yield one
                end = one.end

    def _kind_of(self, word: str) -> str:
        return self._names[word].partition(":")[0].lstrip("<")

    def _replaced(self, text: str, secrets: Iterable[Secret]) -> str:
        pieces, at = [], 0
        for secret in secrets:
            written = text[secret.start : secret.end]
            shown = self.shown(secret)
            if shown == secret.value and secret.kind in IDENTITY_KINDS:
                continue
            if shown.startswith("<") and (self._xml or _is_in_xml(text, secret.start, secret.end)):
                shown = shown.replace("<", "&lt;").replace(">", "&gt;")
            pieces += [text[at : secret.start], secret.quote, shown, secret.quote, *_LINE_ENDS.findall(written)]
            at = secret.end
        return "".join([*pieces, text[at:]]) if pieces else text

    def _elsewhere_hidden(self, text: str) -> str:
        for form, token in self._forms_in(text):
            shown = token.replace("<", "&lt;").replace(">", "&gt;") if self._xml else token
            ends = "".join(_LINE_ENDS.findall(form))
            text = text.replace(form, shown + ends)
        pieces, at = [], 0
        for start, end, word in self.words.find(text):
            if not self.stand_ins.is_one(word):
                pieces += [text[at:start], self._shown(self._names[word], word)]
                at = end
        return "".join([*pieces, text[at:]]) if pieces else text

    def _forms_in(self, text: str) -> list[tuple[str, str]]:
        forms, tokens = self.forms_elsewhere()
        return [(form, token) for form, token in zip(forms, tokens, strict=True) if form in text]


def _is_xml(text: str) -> bool:
    start = text[:200].lstrip("\ufeff \t\r\n\0")
    return start.startswith("<") and not start[1:2].isdigit()


def _entries(text: str) -> list[str]:
    starts = [found.start() for found in _ENTRY.finditer(text)]
    if len(starts) < 2:
        return [text]
    bounds = sorted({0, *starts, len(text)})
    return [text[start:end] for start, end in pairwise(bounds)]


def _is_in_xml(text: str, start: int, end: int) -> bool:
    """Whether a place is the content of an element or an attribute of one."""
    before = text[max(0, start - _NEAR) : start]
    if _IN_ATTRIBUTE.search(before):
        return True
    return _IN_ELEMENT.search(before) is not None and _CLOSING.match(text[end : end + _NEAR]) is not None
