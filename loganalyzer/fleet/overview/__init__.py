"""What a dataset says as a whole: causes by count, what failing machines share, what is still to be collected."""

from __future__ import annotations
