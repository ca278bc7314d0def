"""MLLP frames: 0x0B, content, 0x1C 0x0D.

HL7's Transport Specification MLLP, releases 1 and 2
(https://www.hl7.org/implement/standards/product_brief.cfm?product_id=55). What stands between
frames is passed over, up to a limit. A lone 0x1C or 0x0B is content, as senders' free text does
hold them; but 0x0B right before a header segment begins a new frame: the one before it never
ended, is passed over and so never acknowledged.
"""

from __future__ import annotations

import re

from simdes.errors import Invalid, TooLarge

START = 0x0B
END = b"\x1c\x0d"
ACCEPTED = b"\x06"
"""The content of release 2's commit acknowledgment: it is safely stored."""
REFUSED = b"\x15"
"""The content of release 2's negative commit acknowledgment."""

_BEGUN_AGAIN = re.compile(rb"\x0b(?=(?:MSH|FHS|BHS)[^A-Za-z0-9\s])")
_BLANK = b" \t\r\n\x00"


def enclose(content: bytes) -> bytes:
    """Put a frame around ``content``."""
    return b"\x0b" + content + END


class Frames:
    """Takes the bytes of one connection apart, however they arrive; holds one unfinished frame."""

    def __init__(self, *, frame_bytes: int, stray_bytes: int) -> None:
        self._buffer = bytearray()
        self._looked = 0
        self._stray = 0
        self._frame_bytes = frame_bytes
        self._stray_bytes = stray_bytes
        self.inside = False
        self.unended = 0

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return len(self._buffer)

    @property
    def head(self) -> bytes:
        """How the unfinished frame begins."""
        return bytes(self._buffer[:65_536])

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived and give the contents of the frames that are whole now.

        A frame beyond the limit is never given; `check` says so.
        """
        self._buffer += data
        found: list[bytes] = []
        while self._begin():
            at = self._buffer.find(END, self._looked)
            if at < 0 or at > self._frame_bytes:
                self._looked = max(len(self._buffer) - 1, 0)
                break
            found.append(self._content(at))
            self._end(at + len(END))
        return found

    def check(self) -> None:
        """Raise TooLarge for a frame beyond the limit, Invalid for too much outside of frames."""
        if self.inside and len(self._buffer) > self._frame_bytes:
            raise TooLarge(f"A frame is longer than {self._frame_bytes} bytes.")
        if self._stray > self._stray_bytes:
            raise Invalid("Too much stands between frames; this is not MLLP.")

    def _begin(self) -> bool:
        """Get inside a frame, passing over what stands before it."""
        if self.inside:
            return True
        at = self._buffer.find(START)
        before = bytes(self._buffer[: at if at >= 0 else len(self._buffer)])
        self._stray += len(before.strip(_BLANK))
        if at < 0:
            self._buffer.clear()
            return False
        del self._buffer[: at + 1]
        self.inside = True
        self._looked = 0
        return True

    def _content(self, end: int) -> bytes:
        content = bytes(self._buffer[:end])
        begun = [match.end() for match in _BEGUN_AGAIN.finditer(content)]
        self.unended += len(begun)
        return content[begun[-1] :] if begun else content

    def _end(self, at: int) -> None:
        del self._buffer[:at]
        self.inside = False
        self._looked = 0
        self._stray = 0
