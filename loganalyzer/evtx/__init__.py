"""The EVTX format: chunks and records, one event as values, names of positional fields, frames by channel."""
