"""Types that bytes are decoded into, made ready one at a time.

msgspec (0.22) makes a type ready at its first use and keeps it half ready meanwhile: of two threads
that use one for the first time, where a Struct holds others, the second reads what is not there yet
and the process ends with a segmentation fault (`tests/unit/test_decoding.py`). So each type passes
here before it is used; once it is ready that costs a look into a set.
"""

from __future__ import annotations

import threading
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")
_lock: Final = threading.Lock()
_ready: Final[set[object]] = set()


def ready(kind: type[T]) -> type[T]:
    """The same type, for `msgspec`'s ``type=``, once no other thread makes one ready."""
    if kind not in _ready:
        with _lock:
            msgspec.json.Decoder(kind)
            _ready.add(kind)
    return kind
