"""Frames of all connections become durable, in groups: the longer one takes, the larger the next.

One thread stores, so that the frames of a connection stay in order. What arrives while a group is
written waits, and goes with the next: many connections share a durable commit. The number of
frames that wait is bounded; a connection whose frame finds no place reads no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from simdes.errors import SimdesError, Unavailable
from simdes.exchange.feeds import Answered, Input
from simdes.listener.limits import ListenerLimits

_log = structlog.get_logger("simdes.listener")
_FIRST_PAUSE_SECONDS = 0.25

Receive = Callable[[Sequence[Input]], list[Answered]]
"""Makes inputs durable and writes their answers, as `feeds.receive` does."""

Answer = Answered | None
"""What to send back; None where nothing is durable, so that nothing may be acknowledged."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    input: Input
    answer: asyncio.Future[Answer]


class Held:
    """Bytes in memory, over all connections; who would pass the limit waits."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._used = 0
        self._changed = asyncio.Condition()

    async def take(self, count: int) -> None:
        """Wait for place for ``count`` bytes, and take it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._used + count <= self._limit)
            self._used += count

    async def give(self, count: int) -> None:
        """Give place back."""
        if count:
            async with self._changed:
                self._used -= count
                self._changed.notify_all()


class Intake:
    """The queue between connections and the database."""

    def __init__(self, receive: Receive, limits: ListenerLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(limits.waiting_frames)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._patient = True
        self.held = Held(limits.held_bytes)

    async def put(self, one: Input) -> asyncio.Future[Answer]:
        """Wait for a place in the queue; the answer comes when the frame is durable, or can't be.

        Frames put by one connection are stored in the order in which they were put. The content's
        place in `held` is the intake's from then on, even when its connection ends meanwhile.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        await self._queue.put(_Waiting(one, answer))
        return answer

    async def run(self) -> None:
        """Store group by group, until cancelled."""
        while True:
            group = await self._group()
            answers: Sequence[Answer] = await self._stored([one.input for one in group])
            for one, answer in zip(group, answers, strict=True):
                await self.held.give(len(one.input.content))
                if not one.answer.done():
                    one.answer.set_result(answer)

    def hurry(self) -> None:
        """Wait no more for a database that does not answer: the listener stops."""
        self._patient = False

    def close(self) -> None:
        """End the thread, after what it does now."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _group(self) -> list[_Waiting]:
        group = [await self._queue.get()]
        size = len(group[0].input.content)
        while (
            len(group) < self._limits.group_frames
            and size < self._limits.group_bytes
            and not self._queue.empty()
        ):
            group.append(self._queue.get_nowait())
            size += len(group[-1].input.content)
        return group

    async def _stored(self, inputs: Sequence[Input]) -> Sequence[Answer]:
        """Store a group, again while the database does not answer and patience lasts."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._limits.patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await loop.run_in_executor(self._thread, self._receive, inputs)
            except Unavailable as error:
                _warn(error, len(inputs))
                if not self._patient or loop.time() + pause > until:
                    return [None] * len(inputs)
            except Exception as error:  # it must cost this group its answers, not the listener
                _warn(error, len(inputs))
                return [None] * len(inputs)
            await asyncio.sleep(pause)
            pause *= 2


def _warn(error: Exception, frames: int) -> None:
    issue = error.issue if isinstance(error, SimdesError) else "exception"
    _log.warning("not stored", issue=issue, kind=type(error).__name__, frames=frames)
