"""Sentences are never cut off, whenever they learn how wide they are."""

import pytest
from qtpy.QtWidgets import QLabel

from napari_ptychonn.widgets.common.scroll_column import ScrollColumn
from napari_ptychonn.widgets.common.section import Section
from napari_ptychonn.widgets.common.wrapped_label import WrappedLabel

LONG = "The layout is not one of the known ones; found frames in diffraction. " * 4


@pytest.fixture
def sentence(qtbot):
    """One in a column as narrow as the dock."""
    sentence = WrappedLabel("short")
    column = ScrollColumn(Section("Heading", sentence), Section("Below", QLabel("more")))
    qtbot.addWidget(column)
    column.resize(260, 600)
    column.show()
    qtbot.waitExposed(column)
    yield sentence
    column.close()


def lines(sentence):
    return sentence.height() // sentence.fontMetrics().lineSpacing()


def test_it_grows_and_shrinks_with_its_words(sentence, qtbot):
    sentence.setText(LONG)
    qtbot.waitUntil(lambda: lines(sentence) > 5)
    assert sentence.height() >= sentence.heightForWidth(sentence.width())
    sentence.setText("short")
    qtbot.waitUntil(lambda: lines(sentence) == 1)


def test_it_follows_its_width_and_its_font(sentence, qtbot):
    sentence.setText(LONG)
    qtbot.waitUntil(lambda: lines(sentence) > 5)
    before = sentence.height()
    sentence.setStyleSheet("font-size: 20pt")
    qtbot.waitUntil(lambda: sentence.height() > before)
    large = sentence.height()
    sentence.window().resize(800, 600)
    qtbot.waitUntil(lambda: sentence.height() < large)
    assert sentence.height() >= sentence.heightForWidth(sentence.width())


def test_what_comes_while_it_is_hidden_is_there_when_it_is_shown(sentence, qtbot):
    sentence.hide()
    sentence.setText(LONG)
    sentence.show()
    qtbot.waitUntil(lambda: lines(sentence) > 5)
    assert sentence.height() >= sentence.heightForWidth(sentence.width())
