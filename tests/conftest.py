"""How the generated tests run: the same cases every time, so that a change is judged by what it changed.

Chance finds what nobody thought of, but a run that fails by chance says nothing about the change that it ran on. To
search with new cases, set ``HYPOTHESIS_PROFILE=search``, and write what it finds down as an ``@example``. No test is
timed: a busy machine is no fault.
"""

from __future__ import annotations

import os

from hypothesis import settings

# The tests are about this tree: what somebody set on this machine has no part in it, nor in the processes they start.
os.environ["LOGANALYZER_NO_CONFIG"] = "1"
os.environ["LOGANALYZER_CACHE"] = "off"

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
