"""Scores the scanner on folders of labelled cases, as ``loganalyzer signatures test --cases FOLDER`` does."""

import sys

from loganalyzer.cli import main

if __name__ == "__main__":
    main(["signatures", "test", *(word for folder in sys.argv[1:] for word in ("--cases", folder))])
