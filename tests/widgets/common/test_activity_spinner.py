from napari._qt.dialogs.qt_activity_dialog import ActivityToggleItem
from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QLabel

from napari_ptychonn.widgets.common.activity_spinner import pause_spinner

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xff\x0bNETSCAPE2.0\x03\x01"
    + b"\x00\x00\x00"
    + 2 * b"!\xf9\x04\x04\x05\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"
    + b";"
)


def test_only_the_spinner_of_napari_is_paused(window, tmp_path):
    main = window.window._qt_window  # noqa: SLF001 -- napari shows it nowhere else
    (tmp_path / "spinner.gif").write_bytes(GIF)
    label = QLabel(main)  # of another plugin
    others = QMovie(str(tmp_path / "spinner.gif"), parent=label)
    label.setMovie(others)
    own = main.findChild(ActivityToggleItem).findChild(QLabel).movie()
    for movie in (own, others):
        movie.start()
    pause_spinner(main)
    assert own.state() == QMovie.MovieState.Paused
    assert others.state() == QMovie.MovieState.Running
    others.stop()
