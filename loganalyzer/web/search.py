"""The list of scans: what is asked for, as a condition of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.datastructures import QueryParams

from loganalyzer.web.problems import ProblemError
from loganalyzer.web.rows import Scan
from loganalyzer.web.server import Server

PAGE: Final = 50
_LARGEST: Final = 500
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is searched by: each part as it was asked for, and empty where it was not."""

    machine: str = ""
    cause: str = ""
    code: str = ""
    state: str = ""
    since: str = ""
    until: str = ""
    offset: int = 0
    limit: int = PAGE

    @staticmethod
    def of(query: QueryParams) -> Search:
        """
        Raises:
            ProblemError: a number or a date is none.
        """
        texts = {name: query.get(name, "").strip()[:_LONGEST] for name in ("machine", "cause", "code", "state")}
        dates = {name: query.get(name, "").strip()[:40] for name in ("since", "until")}
        for text in dates.values():
            _moment(text)
        return Search(
            **texts, **dates, offset=_number(query, "offset", 0, 10**9), limit=_number(query, "limit", PAGE, _LARGEST)
        )

    def scans(self, server: Server, user: str) -> list[Scan]:
        """Those that the user may read, the newest first; one more than the page has where there are more."""
        conditions, values = ["(user = ? OR shared)"], [user]
        for columns, text in (
            (("host", "name"), self.machine),
            (("cause", "cause_title"), self.cause),
            (("codes",), self.code),
        ):
            if text:
                conditions.append(f"({' OR '.join(f'instr(lower({one}), lower(?)) > 0' for one in columns)})")
                values += [text] * len(columns)
        if self.state:
            conditions.append("state = ?")
            values.append(self.state)
        for sign, text in ((">=", self.since), ("<", self.until)):
            if text:
                conditions.append(f"created {sign} ?")
                values.append(_moment(text))
        where = f"{' AND '.join(conditions)} ORDER BY created DESC, id LIMIT ? OFFSET ?"
        return server.store.all(Scan, "scans", where, *values, self.limit + 1, self.offset)


def _moment(text: str) -> str:
    """A date or time of ISO 8601 as the database has it; without a zone, UTC."""
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ProblemError(422, "bad-request", f"{text!r} is no date like 2026-03-01") from None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:
        raise ProblemError(422, "bad-request", f"{text!r} is no date like 2026-03-01") from None


def _number(query: QueryParams, name: str, default: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text[:12]) > most:
        raise ProblemError(422, "bad-request", f"{name} must be a number up to {most}")
    return int(text)
