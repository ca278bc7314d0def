"""Limits of the listener: what a connection may bring and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """How much, how long, how many; a sender beyond a limit loses its connection.

    ``frame_bytes`` is the longest frame, ``stray_bytes`` what may stand between frames.
    ``held_bytes`` bounds what all connections together hold in memory, ``waiting_frames`` how many
    frames wait to be stored; beyond either the listener reads no further. ``pipelined_frames`` may
    wait for their acknowledgments on one connection. ``frame_seconds`` is the time from a frame's
    first byte to its last, ``idle_seconds`` that between frames, ``answer_seconds`` the time a
    sender has to take its acknowledgments, ``patience_seconds`` how long a database that does not
    answer is tried again, ``stop_seconds`` how long a graceful stop takes at most.
    """

    connections: int = 256
    frame_bytes: int = 16 * 1024 * 1024
    stray_bytes: int = 4096
    held_bytes: int = 128 * 1024 * 1024
    waiting_frames: int = 256
    group_frames: int = 64
    group_bytes: int = 8 * 1024 * 1024
    pipelined_frames: int = 64
    handshake_seconds: float = 15.0
    frame_seconds: float = 60.0
    idle_seconds: float = 3600.0
    answer_seconds: float = 30.0
    patience_seconds: float = 10.0
    stop_seconds: float = 30.0


LIMITS = ListenerLimits()
