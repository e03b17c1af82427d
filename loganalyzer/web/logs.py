"""The log of a server: a JSON object a line on standard error, without anything that is secret.

Of a request only its path is told: what follows the question mark may be a sign-in link.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

import orjson

#: What a record may carry beside its text (``extra``).
_FIELDS: Final = ("method", "path", "status", "milliseconds", "client")


class JsonLines(logging.Formatter):
    """A record as one line of JSON; ``@timestamp`` is in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, Any] = {
            "@timestamp": datetime.fromtimestamp(record.created, UTC),
            "log.level": record.levelname,
            "log.logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            told["error.stack_trace"] = self.formatException(record.exc_info)
        return orjson.dumps(told, option=orjson.OPT_UTC_Z, default=str).decode()


def log_to_stderr(level: int = logging.INFO) -> None:
    """Sends all records of this program and of uvicorn to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("loganalyzer.web", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], name == "uvicorn.error"
        logger.setLevel(level)
        if name != "uvicorn.error":
            logger.addHandler(handler)
