"""napari's activity spinner, which may go on turning when nothing goes on."""

from __future__ import annotations

from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QLabel, QWidget


def pause_spinner(window: QWidget) -> None:
    """Pause napari's spinner in a window; napari starts it again when it needs it.

    napari 0.9 leaves its spinner running after a file was opened.  Each of its
    frames makes Qt compose the whole window anew, which without a GPU takes
    0.6 of a processor core away from training.
    """
    for label in window.findChildren(QLabel):
        if type(label.parent()).__name__ != "ActivityToggleItem":
            continue
        movie = label.movie()
        if movie is not None and movie.state() == QMovie.MovieState.Running:
            movie.setPaused(True)
