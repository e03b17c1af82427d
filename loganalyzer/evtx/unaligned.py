"""Little-endian numbers at any place of bytes, many at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Numbers:
    """Of ``data``, at each place, the number of one, two, four or eight bytes that begins there.

    A place must be one at which as many bytes follow. They are indexed, never taken with ``take``, which would copy.
    """

    data: bytes
    u8: NDArray[np.uint8] = field(init=False, repr=False)
    u16: NDArray[np.uint16] = field(init=False, repr=False)
    u32: NDArray[np.uint32] = field(init=False, repr=False)
    u64: NDArray[np.uint64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for width in (1, 2, 4, 8):
            count = max(len(self.data) - width + 1, 0)
            numbers = np.ndarray((count,), f"<u{width}", self.data, strides=(1,))
            object.__setattr__(self, f"u{8 * width}", numbers)
