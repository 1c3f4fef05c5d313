"""What all panels of the dock have in common."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_ptychonn.app.session import Session
from napari_ptychonn.widgets.common.connections import Connections
from napari_ptychonn.widgets.task_controller import TaskController


class SessionPanel(QWidget):
    """A section of the dock that shows a session and starts tasks.

    Subclasses connect the signals they need with ``self.connections`` and
    implement `refresh`, which runs whenever a scan, a reconstruction or the
    running task changes.

    Parameters
    ----------
    session : Session
        What is shown.
    tasks : TaskController
        Starts and stops tasks.
    """

    def __init__(self, session: Session, tasks: TaskController) -> None:
        super().__init__()
        self._session, self._tasks = session, tasks
        self.connections = Connections()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)

    def connect_refresh(self) -> None:
        """Refresh now and whenever scan, reconstruction or running task change."""
        session = self._session
        for signal in (session.scan_loaded, session.reconstruction_chosen, session.running_changed):
            self.connections.add(signal, self._on_session_changed)
        self.refresh()

    def refresh(self) -> None:
        """Show the session, and enable what can be pressed now."""
        raise NotImplementedError

    def set_theme(self, theme: str) -> None:
        """Take the colours of another napari theme."""

    def _on_session_changed(self, _value: object = None) -> None:
        self.refresh()
