from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QLabel, QWidget

from napari_ptychonn.widgets.common.activity_spinner import pause_spinner

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xff\x0bNETSCAPE2.0\x03\x01"
    + b"\x00\x00\x00"
    + 2 * b"!\xf9\x04\x04\x05\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"
    + b";"
)


def test_a_turning_spinner_is_paused_and_can_turn_again(qtbot, tmp_path):
    window = QWidget()
    qtbot.addWidget(window)
    label = QLabel(window)
    (tmp_path / "spinner.gif").write_bytes(GIF)
    movie = QMovie(str(tmp_path / "spinner.gif"), parent=label)
    label.setMovie(movie)
    movie.start()
    assert movie.state() == QMovie.MovieState.Running
    pause_spinner(window)
    assert movie.state() == QMovie.MovieState.Paused
    movie.start()
    assert movie.state() == QMovie.MovieState.Running
