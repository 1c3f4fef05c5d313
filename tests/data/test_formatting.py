"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from napari_ptychonn.data.formatting import format_count


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 frames are"), (1, "1 frame is"), (2, "2 frames are")]
)
def test_noun_and_verb_agree(number: int, text: str) -> None:
    assert format_count(number, "frame", "are") == text
    assert format_count(number, "frame") == " ".join(text.split()[:2])


def test_other_verbs_and_large_numbers() -> None:
    assert format_count(1, "prediction", "disagree") == "1 prediction disagrees"
    assert format_count(25921, "frame", "have") == "25,921 frames have"
