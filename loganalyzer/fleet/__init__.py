"""Many bundles in one run: which they are, how each is scanned in a process of its own, and the dataset of what was
found.
"""

from __future__ import annotations
