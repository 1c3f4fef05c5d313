"""A column that scrolls to what has just begun."""

import pytest
from qtpy.QtWidgets import QLabel, QPushButton

from napari_ptychonn.widgets.common.scroll_column import ScrollColumn
from napari_ptychonn.widgets.common.section import Section


@pytest.fixture
def column(qtbot):
    """Twenty sections of which a few can be seen."""
    sections = [Section(f"{k}", QPushButton("press"), QLabel("said")) for k in range(20)]
    column = ScrollColumn(*sections)
    qtbot.addWidget(column)
    column.resize(260, 400)
    column.show()
    qtbot.waitExposed(column)
    return column


def seen(column, widget):
    top = widget.mapTo(column.viewport(), widget.rect().topLeft()).y()
    return top >= 0 and top + widget.height() <= column.viewport().height()


def test_what_is_revealed_is_in_view_also_when_something_above_grows(column, qtbot):
    labels = column.findChildren(QLabel)
    assert not seen(column, labels[12])
    column.reveal(labels[12])
    qtbot.waitUntil(lambda: seen(column, labels[12]))
    labels[9].setText("said\n" * 8)
    qtbot.waitUntil(lambda: labels[9].height() > 80 and seen(column, labels[12]))


def test_later_it_is_left_where_somebody_scrolled(column, qtbot):
    label = column.findChildren(QLabel)[12]
    column.reveal(label)
    qtbot.wait(2200)
    column.verticalScrollBar().setValue(0)
    label.setText("said\n" * 8)
    qtbot.wait(400)
    assert column.verticalScrollBar().value() == 0


def test_what_can_be_seen_already_stays_where_it_is(column, qtbot):
    column.reveal(column.findChildren(QLabel)[0])
    qtbot.wait(400)
    assert column.verticalScrollBar().value() == 0


def test_what_is_folded_away_is_not_looked_for(column, qtbot):
    section = column.findChildren(Section)[15]
    section.heading.click()
    column.reveal(section.findChild(QLabel))
    qtbot.wait(400)
    assert column.verticalScrollBar().value() == 0
