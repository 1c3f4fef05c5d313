"""How long a window does not answer: a timer that should ring every 10 ms, and the GL paint."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QTimer

PERIOD = 0.010
"""Seconds between two beats of an idle window."""


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """Times between two beats, ms: 50th and 99th percentile over the beats, and the longest.

    Attributes
    ----------
    seconds : float
        Watched.
    paints : int
        Redraws of the canvas.
    paint : float
        Median time of one, ms.
    all : tuple of float
        As the user feels them.
    own : tuple of float
        Without the GL paints that fell into them.
    busy : tuple of float
        What the window's own thread computed in them, GL paints left out: no other
        process or thread, however busy, makes this longer.
    """

    seconds: float
    paints: int
    paint: float
    all: tuple[float, float, float]
    own: tuple[float, float, float]
    busy: tuple[float, float, float]


class Heartbeat:
    """Watches one napari viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose canvas is drawn.
    """

    def __init__(self, viewer: Any) -> None:
        self._paints: list[float] = []
        self._gaps: list[tuple[float, float, float]] = []
        self._painted = self._computed = 0.0
        self._last, self._last_busy = time.perf_counter(), time.thread_time()
        backend = viewer.window._qt_viewer.canvas._scene_canvas._backend  # noqa: SLF001
        self._paint = backend.paintGL
        backend.paintGL = self._timed_paint
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(round(PERIOD * 1e3))
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def restart(self) -> None:
        """Forget what was watched so far."""
        self._paints, self._gaps = [], []
        self._painted = self._computed = 0.0
        self._last, self._last_busy = time.perf_counter(), time.thread_time()

    def gaps(self) -> Gaps:
        """What was watched since the last `restart`."""
        whole, own, busy = np.asarray(self._gaps).T * 1e3
        return Gaps(
            seconds=float(whole.sum() / 1e3),
            paints=len(self._paints),
            paint=float(np.median(self._paints) * 1e3) if self._paints else 0.0,
            all=_three(whole),
            own=_three(own),
            busy=_three(busy),
        )

    def _beat(self) -> None:
        now = time.perf_counter()
        gap, self._last = now - self._last, now
        now = time.thread_time()
        busy, self._last_busy = now - self._last_busy, now
        self._gaps.append((gap, gap - self._painted, busy - self._computed))
        self._painted = self._computed = 0.0

    def _timed_paint(self) -> None:
        from vispy.gloo import gl

        began, computed = time.perf_counter(), time.thread_time()
        self._paint()
        gl.glFinish()  # else a part of it would be done, and counted, later
        took = time.perf_counter() - began
        self._painted += took
        self._computed += time.thread_time() - computed
        self._paints.append(took)


def _three(values: np.ndarray) -> tuple[float, float, float]:
    middle, high = np.percentile(values, [50, 99])
    return float(middle), float(high), float(values.max())
