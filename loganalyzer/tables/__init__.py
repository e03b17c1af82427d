"""The frames of a bundle as named tables: merged in time, redacted, described, written to files, asked in SQL."""

from __future__ import annotations
