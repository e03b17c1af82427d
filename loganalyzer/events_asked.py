"""What may be asked of the events of a channel of Windows."""

from __future__ import annotations

from msgspec import Struct


class EventsAsked(Struct, frozen=True):
    """Events of these ids, of these kinds (provider in lower case, id), or with one of these texts.

    A text is ASCII in lower case and stands in the JSON of an event, or in ``<Provider> <EventID>: ``.
    """

    ids: frozenset[str] = frozenset()
    kinds: frozenset[tuple[str, str]] = frozenset()
    texts: frozenset[str] = frozenset()
