"""Tokens for secrets: ``<kind:N>``, N by first appearance, the same for the same secret, not derived from it.

With a key they are ``<kind:HMAC>``, the same in every bundle.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from types import MappingProxyType
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import polars as pl

from loganalyzer.redact.identities import find_identities, is_found_anywhere
from loganalyzer.redact.key import keyed_digits
from loganalyzer.redact.kinds import IDENTITY_KINDS, TOKEN, Secret
from loganalyzer.redact.known_words import KnownWords, any_of
from loganalyzer.redact.ordinary import is_common, is_machine_of_nobody
from loganalyzer.redact.plugged import find_all

#: ``tokens`` hides secrets; ``all`` also what names persons, machines and customers.
RedactMode: TypeAlias = Literal["tokens", "all", "off"]

#: A text is read again until nothing changes, since a token may open the view on a further secret. Two rounds are
#: usual; hostile text must not make it many.
ROUNDS: Final = 8

#: Kinds whose values are looked for elsewhere, too: a column or a template may show one without its name.
_SPREADING: Final = frozenset({"key", "password", "sas", "secret", "token", "connection-string"})
_SHORTEST_TO_SPREAD: Final = 8
_IDENTIFIER: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\d.:TZ+/ -]+|v?\d[\w.-]*")
_SHORTEST_HOST: Final = 3


class Redactor:
    """Replaces secrets by tokens. One redactor a run: it remembers which secret has which token.

    ``off`` leaves every text as it is. ``key``: of HMAC, at least 16 bytes; without one tokens are numbered.
    """

    def __init__(self, mode: RedactMode = "tokens", key: bytes | None = None) -> None:
        self.mode: Final = mode
        self._key: Final = key
        self._tokens: dict[tuple[bool, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._values: dict[str, str] = {}
        self._elsewhere: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._host_words = KnownWords(())

    @property
    def values(self) -> Mapping[str, str]:
        """What each token stands for, in the order of their making."""
        return MappingProxyType(self._values)

    def fresh(self) -> Redactor:
        """A plain redactor that is set like this one, knows its hosts, and has given no token yet."""
        other = Redactor(self.mode, self._key)
        other._hosts, other._host_words = self._hosts, self._host_words
        return other

    def aside(self) -> Redactor:
        """A plain redactor that has this one's tokens; what it gives beyond them leaves this one as it is."""
        other = self.fresh()
        other._tokens, other._numbers, other._values = dict(self._tokens), copy(self._numbers), dict(self._values)
        other._elsewhere, other._names = dict(self._elsewhere), dict(self._names)
        return other

    def know_hosts(self, names: Iterable[str]) -> None:
        """Names of the bundle's machines: in ``all`` mode they are hidden wherever they stand as a word."""
        if self.mode != "all":
            return
        known = dict(self._hosts)
        for name in sorted({name.strip().rstrip(".").lower() for name in names}):
            label, _, domain = name.partition(".")
            if is_machine_of_nobody(label) or name.replace(".", "").isdigit() or ":" in name:
                continue
            known[label] = "host"
            if "." in domain or (domain and not is_common(domain)):
                known.setdefault(domain, "domain")
        if known != self._hosts:
            self._hosts = known
            self._host_words = KnownWords(word for word in known if _is_safe_to_seek(word))

    def text(self, text: str) -> str:
        """The text with a token for each secret; doing it twice changes nothing more."""
        if self.mode == "off":
            return text
        for _ in range(ROUNDS):
            redacted = self._once(text)
            if redacted == text:
                break
            text = redacted
        return text

    def texts(self, texts: Iterable[str]) -> list[str]:
        """Each text redacted in the order given, then every secret found in any of them hidden in all of them."""
        redacted = [self.text(text) for text in texts]
        if self.mode == "off":
            return redacted
        column = pl.Series(redacted, dtype=pl.String)
        if self._elsewhere:
            forms, tokens = self.forms_elsewhere()
            column = column.str.replace_many(forms, tokens, leftmost=True)
        hide = self.hidden_names()
        return column.to_list() if hide is None else [hide(text) for text in column.to_list()]

    def forms_elsewhere(self) -> tuple[list[str], list[str]]:
        """The forms in which known secrets may stand without their names, the longest first, and their tokens."""
        forms = sorted(self._elsewhere, key=lambda form: (-len(form), form))
        return forms, [self._elsewhere[form] for form in forms]

    def hiding_elsewhere(self) -> Callable[[str], str]:
        """Hides every secret and name that was found so far wherever it stands: for texts that were redacted before."""
        hide, tokens = self.hidden_names(), dict(self._elsewhere)
        forms = re.compile(f"{TOKEN.pattern}|(?P<form>{any_of(sorted(tokens))})") if tokens else None

        def hidden(text: str) -> str:
            if forms is not None:
                text = forms.sub(lambda found: tokens[found["form"]] if found["form"] else found[0], text)
            return text if hide is None else hide(text)

        return hidden

    def hidden_names(self) -> _HiddenNames | None:
        """Hides every name that was found so far wherever it stands as a word; None: none was."""
        return _HiddenNames(self._names) if self._names else None

    def whole(self, text: str, kind: str) -> str:
        """A token for the whole text: for files of which nothing may be shown."""
        return text if self.mode == "off" or not text else self.token(Secret(0, len(text), kind, text))

    def host(self, name: str) -> str:
        """The token of a machine that is called so, whatever its name looks like."""
        if self.mode != "all" or TOKEN.search(name) or is_machine_of_nobody(name):
            return self.text(name)
        label, dot, domain = name.partition(".")
        if name.replace(".", "").isdigit() or not label:
            return self.text(name)
        told = self.token(Secret(0, len(label), "host", label.lower()))
        return told + (f".{self.token(Secret(0, len(domain), 'domain', domain.lower()))}" if dot else "")

    def token(self, secret: Secret) -> str:
        """The token for a secret."""
        is_identity = secret.kind in IDENTITY_KINDS
        value = secret.value.lower() if is_identity else secret.value
        if (is_identity, value) not in self._tokens:
            self._numbers[secret.kind] += 1
            digits = str(self._numbers[secret.kind])
            digits = digits if self._key is None else keyed_digits(self._key, secret.kind, value)
            self._tokens[is_identity, value] = f"<{secret.kind}:{digits}>"
            self._values.setdefault(self._tokens[is_identity, value], secret.value)
        return self._tokens[is_identity, value]

    def _once(self, text: str) -> str:
        text = self._replaced(text, find_all(text))
        if self.mode != "all":
            return text
        if text.lower() in self._hosts:
            return self.token(Secret(0, len(text), self._hosts[text.lower()], text))
        text = self._replaced(text, find_identities(text))
        return self._replaced(text, self._known_hosts(text))

    def _replaced(self, text: str, secrets: Iterable[Secret]) -> str:
        pieces, at = [], 0
        for secret in secrets:
            token = self.token(secret)
            self._remember(secret, text[secret.start : secret.end], token)
            pieces += [text[at : secret.start], secret.quote, token, secret.quote]
            at = secret.end
        return "".join([*pieces, text[at:]]) if pieces else text

    def _known_hosts(self, text: str) -> Iterator[Secret]:
        for start, end, word in self._host_words.find(text):
            yield Secret(start, end, self._hosts[word], word)

    def _remember(self, secret: Secret, written: str, token: str) -> None:
        """Keeps the forms in which the secret could stand elsewhere, if nothing ordinary looks like it."""
        if secret.kind in IDENTITY_KINDS:
            if is_found_anywhere(secret.kind, secret.value):
                self._names.setdefault(secret.value, token)
            return
        for form in forms_of(secret, written):
            self._elsewhere.setdefault(form, token)


class _HiddenNames:
    """Hides known names in texts."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._words = KnownWords(tokens)
        self._tokens = dict(tokens)

    def __call__(self, text: str) -> str:
        pieces, at = [], 0
        for start, end, word in self._words.find(text):
            pieces += [text[at:start], self._tokens[word]]
            at = end
        return "".join([*pieces, text[at:]]) if pieces else text


def forms_of(secret: Secret, written: str) -> list[str]:
    """The forms in which a secret could stand without its name, if nothing ordinary looks like it."""
    value = secret.value
    if secret.kind not in _SPREADING or len(value) < _SHORTEST_TO_SPREAD or _IDENTIFIER.fullmatch(value):
        return []
    if not any(char.isdigit() for char in value) or not any(char.isalpha() for char in value):
        return []
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    forms = (written, value, quote(value, safe="", errors="replace"), html.escape(value), escaped)
    return [form for form in dict.fromkeys(forms) if len(form) >= _SHORTEST_TO_SPREAD and not TOKEN.search(form)]


def _is_safe_to_seek(word: str) -> bool:
    """Whether a host's name may be hidden wherever it stands."""
    return len(word) >= _SHORTEST_HOST and not is_common(word) and any(char.isalpha() for char in word)
