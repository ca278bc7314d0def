"""One connection: frames in, acknowledgments out, in their order.

Reading and answering are two tasks, so that a sender may send on without waiting. Reading stops
where memory, the queue or the connection's own share is full, and goes on as answers go out. A
frame that could not be made durable is not answered at all: the connection ends, which every
sender takes as a reason to send again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from simdes.errors import Invalid, TooLarge
from simdes.exchange.feeds import Answered, Input
from simdes.listener.frame import ACCEPTED, REFUSED, Frames, enclose
from simdes.listener.intake import Answer, Intake
from simdes.listener.limits import ListenerLimits

_CHUNK_BYTES = 65_536
_LINGER_SECONDS = 1.0

Reject = Callable[[bytes], Answered]
"""Writes the answer to a frame that is too long, by its beginning."""


@dataclass(slots=True)
class Tally:
    """What came of the frames of a connection, or of all."""

    frames: int = 0
    accepted: int = 0
    resources: int = 0
    quarantined: int = 0
    not_kept: int = 0
    unanswered: int = 0
    unended: int = 0

    def add(self, answered: Answer) -> None:
        """Count one frame's answer."""
        self.frames += 1
        if answered is None:
            self.unanswered += 1
            return
        self.accepted += answered.accepted
        self.resources += answered.resources
        self.quarantined += answered.quarantined
        self.not_kept += answered.not_kept


class Session:
    """A connection from its first byte to its last; ``reason`` says in the end why it closed."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        origin: str,
        intake: Intake,
        reject: Reject,
        limits: ListenerLimits,
        release: int,
        stopping: asyncio.Event,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._origin = origin
        self._intake = intake
        self._reject = reject
        self._limits = limits
        self._release = release
        self._stopping = stopping
        self._frames = Frames(frame_bytes=limits.frame_bytes, stray_bytes=limits.stray_bytes)
        self._pending: asyncio.Queue[asyncio.Future[Answer] | None] = asyncio.Queue()
        self._places = asyncio.Semaphore(limits.pipelined_frames)
        self._taken = 0
        self._waiting = 0
        self._began = 0.0
        self.tally = Tally()
        self.reasons: set[str] = set()
        self.reason = "closed by sender"

    async def run(self) -> None:
        """Receive and answer until either side ends it."""
        stop = asyncio.ensure_future(self._stopping.wait())
        reading = asyncio.ensure_future(self._read(stop))
        try:
            await self._answer()
        except (ConnectionError, TimeoutError) as error:
            self.reason = (
                "acknowledgments not taken" if isinstance(error, TimeoutError) else "broken off"
            )
            self._writer.transport.abort()
        finally:
            for task in (stop, reading):
                task.cancel()
            await asyncio.gather(stop, reading, return_exceptions=True)
            await self._give_back(self._taken)
            self.tally.unended = self._frames.unended + self._frames.inside
            await self._close()

    async def _read(self, stop: asyncio.Future[Any]) -> None:
        try:
            while data := await self._chunk(stop):
                await self._take(data)
        except TimeoutError:
            self.reason = "frame not ended in time" if self._frames.inside else "idle"
        except ConnectionError:
            self.reason = "broken off"
        except Invalid as error:
            self.reason = error.message
        except TooLarge as error:
            self.reason = error.message
            self._answer_too_large()
        finally:
            self._pending.put_nowait(None)

    async def _chunk(self, stop: asyncio.Future[Any]) -> bytes:
        """Wait for bytes; none at the sender's end, or ours. TimeoutError where none come."""
        loop = asyncio.get_running_loop()
        while not stop.done():
            read = asyncio.ensure_future(self._reader.read(_CHUNK_BYTES))
            limit = (
                self._began + self._limits.frame_seconds - loop.time()
                if self._frames.inside
                else self._limits.idle_seconds
            )
            await asyncio.wait(
                (read, stop), timeout=max(limit, 0), return_when=asyncio.FIRST_COMPLETED
            )
            if read.done():
                return read.result()
            read.cancel()
            with suppress(asyncio.CancelledError):
                await read
            if not stop.done() and (self._frames.inside or not self._waiting):
                raise TimeoutError
        self.reason = "listener stopped"
        return b""

    async def _take(self, data: bytes) -> None:
        """Pass on the frames that ``data`` ends; waits where there is no place for them."""
        loop = asyncio.get_running_loop()
        inside = self._frames.inside
        async with asyncio.timeout(self._limits.frame_seconds):
            await self._intake.held.take(len(data))
        self._taken += len(data)
        found = self._frames.feed(data)
        if self._frames.inside and (found or not inside):
            self._began = loop.time()
        await self._give_back(self._taken - self._frames.held - sum(map(len, found)))
        for content in found:
            waited = loop.time()
            await self._places.acquire()
            self._pending.put_nowait(await self._intake.put(Input(self._origin, content)))
            self._taken -= len(content)
            self._waiting += 1
            self._began += loop.time() - waited  # our waiting is not the sender's
        self._frames.check()

    async def _give_back(self, count: int) -> None:
        self._taken -= count
        await self._intake.held.give(count)

    def _answer_too_large(self) -> None:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        answer.set_result(self._reject(self._frames.head))
        self._pending.put_nowait(answer)

    async def _answer(self) -> None:
        """Send acknowledgments as their frames become durable, in the frames' order."""
        while (pending := await self._pending.get()) is not None:
            answered = await pending
            self._places.release()
            self._waiting -= 1
            self.tally.add(answered)
            if answered is not None:
                self.reasons.update(answered.reasons)
            for content in self._contents(answered):
                self._writer.write(enclose(content))
            async with asyncio.timeout(self._limits.answer_seconds):
                await self._writer.drain()
            if answered is None:
                self.reason = "not stored, so not acknowledged"
                return

    def _contents(self, answered: Answer) -> tuple[bytes, ...]:
        """What to send back; release 2 says in a block of its own whether a frame is kept."""
        answers = answered.answers if answered is not None else ()
        if self._release == 1:
            return answers
        kept = answered is not None and not answered.not_kept
        return (ACCEPTED if kept else REFUSED, *answers)

    async def _close(self) -> None:
        """Let the sender take the last answers: closing on unread bytes would throw them away."""
        with suppress(ConnectionError, TimeoutError, RuntimeError):
            if self._writer.can_write_eof() and not self._reader.at_eof():
                self._writer.write_eof()
                async with asyncio.timeout(_LINGER_SECONDS):
                    while await self._reader.read(_CHUNK_BYTES):
                        pass
        with suppress(ConnectionError, TimeoutError):
            self._writer.close()
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._writer.wait_closed()
            return
        self._writer.transport.abort()
