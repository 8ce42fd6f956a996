"""Standard output for a protocol alone. It imports nothing, so that what the imports of a server print is kept off, too."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

__all__ = ["protocol_output"]


def protocol_output() -> BinaryIO:
    """The real standard output, taken away from everything else: descriptor 1 and `sys.stdout` are standard error from here on."""
    sys.stdout.flush()
    wire = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(wire, "wb")
