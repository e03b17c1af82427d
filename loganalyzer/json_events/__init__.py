"""Events as JSON: objects in any layout of a file, and the frames that Sigma rules read."""

from __future__ import annotations

from loganalyzer.json_events.frames import MOST_FIELDS, JsonEvents, read_json_events

__all__ = ["MOST_FIELDS", "JsonEvents", "read_json_events"]
