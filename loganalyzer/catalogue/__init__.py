"""The catalogue: documented errors, their causes, what leads to what, where evidence stands, and dated facts.

The data is ``signatures/catalogue/*.yml``; each file says at its top what its fields mean. ``load_catalogue`` reads and
checks all of it. Nothing here knows a cause by name.
"""

from __future__ import annotations

from loganalyzer.catalogue.load import load_catalogue
from loganalyzer.catalogue.lookup import Catalogue, FoundCode, FoundMessage, NumberMeaning
from loganalyzer.catalogue.model import (
    Artefact,
    ArtefactFrame,
    Cause,
    Collect,
    DatedFact,
    Doc,
    Edge,
    ErrorCode,
    Evidence,
    FailureMode,
    GuideCheck,
    GuideStep,
    HostStatusCode,
    Message,
    NamedCode,
    Requires,
    Source,
    State,
    Trap,
    VmSnapshotCode,
)

__all__ = [
    "Artefact",
    "ArtefactFrame",
    "Catalogue",
    "Cause",
    "Collect",
    "DatedFact",
    "Doc",
    "Edge",
    "ErrorCode",
    "Evidence",
    "FailureMode",
    "FoundCode",
    "FoundMessage",
    "GuideCheck",
    "GuideStep",
    "HostStatusCode",
    "Message",
    "NamedCode",
    "NumberMeaning",
    "Requires",
    "Source",
    "State",
    "Trap",
    "VmSnapshotCode",
    "load_catalogue",
]
