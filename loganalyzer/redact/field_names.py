"""Values that the name of their field tells to hide, whatever they look like."""

from __future__ import annotations

from functools import lru_cache

from loganalyzer.redact.redactor import Redactor


@lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    written = f'{name}="x7Qp0LmZ"'
    return Redactor().text(written) != written


@lru_cache(maxsize=4096)
def names_an_identity(name: str) -> bool:
    """Whether a field of this name holds the name of a person or a machine."""
    written = f'{name}="xqprlmz"'
    return Redactor("all").text(written) != written


def value_of(name: str, text: str, redactor: Redactor) -> str:
    """The value of a field as it is redacted beside its name, though it is shown apart from it."""
    if names_a_secret(name):
        return hidden_value(name, text, redactor)
    return (
        named_identity(name, text, redactor)
        if redactor.mode == "all" and names_an_identity(name)
        else redactor.text(text)
    )


def named_identity(name: str, text: str, redactor: Redactor) -> str:
    """The value of a field whose name tells what it is, as it is redacted beside that name."""
    prefix = f'{name}="'
    whole = redactor.text(f'{prefix}{text}"')
    return whole[len(prefix) : -1] if whole.startswith(prefix) and whole.endswith('"') else redactor.text(text)


def hidden_value(name: str, text: str, redactor: Redactor) -> str:
    """A token for the whole value of a field whose name names a secret, unless it says nothing."""
    prefix, suffix = f'{name}="', '"'
    whole = redactor.text(f"{prefix}{text}{suffix}")
    if whole.startswith(prefix) and whole.endswith(suffix) and '"' not in text:
        return whole[len(prefix) : len(whole) - len(suffix)]
    return redactor.whole(text, "secret")
