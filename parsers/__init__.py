"""One module per log format; found by loganalyzer.registry, never imported by name."""
