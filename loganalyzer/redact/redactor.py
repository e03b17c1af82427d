"""Tokens for secrets: ``<kind:N>``, N by first appearance, the same for the same secret, not derived from it."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

import polars as pl

from loganalyzer.redact.find import Secret, find_secrets

RedactMode: TypeAlias = Literal["tokens", "off"]

#: A text is read again until nothing changes, since a token may open the view on a further secret. Two rounds are
#: usual; hostile text must not make it many.
_ROUNDS: Final = 8

#: Kinds whose values are looked for elsewhere, too: a column or a template may show one without its name.
_SPREADING: Final = frozenset({"key", "password", "sas", "secret", "token", "connection-string"})
_SHORTEST_TO_SPREAD: Final = 8
_IDENTIFIER: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\d.:TZ+/ -]+|v?\d[\w.-]*")


class Redactor:
    """Replaces secrets by tokens. One redactor a run: it remembers which secret has which token.

    ``off`` leaves every text as it is.
    """

    def __init__(self, mode: RedactMode = "tokens") -> None:
        self.mode: Final = mode
        self._tokens: dict[str, str] = {}
        self._numbers: Counter[str] = Counter()
        self._elsewhere: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text with a token for each secret; doing it twice changes nothing more."""
        if self.mode == "off":
            return text
        for _ in range(_ROUNDS):
            redacted = self._once(text)
            if redacted == text:
                break
            text = redacted
        return text

    def texts(self, texts: Iterable[str]) -> list[str]:
        """Each text redacted in the order given, then every secret found in any of them hidden in all of them."""
        redacted = [self.text(text) for text in texts]
        if self.mode == "off" or not self._elsewhere:
            return redacted
        forms = sorted(self._elsewhere, key=lambda form: (-len(form), form))
        column = pl.Series(redacted, dtype=pl.String)
        return column.str.replace_many(forms, [self._elsewhere[form] for form in forms], leftmost=True).to_list()

    def whole(self, text: str, kind: str) -> str:
        """A token for the whole text: for files of which nothing may be shown."""
        return text if self.mode == "off" or not text else self._token(Secret(0, len(text), kind, text))

    def _once(self, text: str) -> str:
        pieces, at = [], 0
        for secret in find_secrets(text):
            token = self._token(secret)
            self._remember(secret, text[secret.start : secret.end], token)
            pieces += [text[at : secret.start], token]
            at = secret.end
        return "".join([*pieces, text[at:]]) if pieces else text

    def _token(self, secret: Secret) -> str:
        if secret.value not in self._tokens:
            self._numbers[secret.kind] += 1
            self._tokens[secret.value] = f"<{secret.kind}:{self._numbers[secret.kind]}>"
        return self._tokens[secret.value]

    def _remember(self, secret: Secret, written: str, token: str) -> None:
        """Keeps the forms in which the secret could stand elsewhere, if nothing ordinary looks like it."""
        value = secret.value
        if secret.kind not in _SPREADING or len(value) < _SHORTEST_TO_SPREAD or _IDENTIFIER.fullmatch(value):
            return
        if not any(char.isdigit() for char in value) or not any(char.isalpha() for char in value):
            return
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        for form in (written, value, quote(value, safe=""), html.escape(value), escaped):
            if len(form) >= _SHORTEST_TO_SPREAD:
                self._elsewhere.setdefault(form, token)
