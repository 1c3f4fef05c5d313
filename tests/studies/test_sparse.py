import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction import EngineOptions
from napari_ptychonn.studies import sparse
from napari_ptychonn.studies.sparse import sparse_study
from napari_ptychonn.studies.study import Progress
from napari_ptychonn.studies.subsampling import subsample_scan

TRAINED = 72

OPTIONS = EngineOptions(iterations=3)


def run(small, model, **changes):
    wanted = {"every": (1, 2), "options": OPTIONS, "device": "cpu"} | changes
    return list(sparse_study(small.scan, model, small.truth, **wanted))


def test_both_methods_get_the_same_thinned_frames(small, model, engine):
    *_, study = run(small, model)
    for point, (options, indices, start) in zip(study.points, engine.calls, strict=True):
        np.testing.assert_array_equal(indices, subsample_scan(small.scan, point.every))
        assert options == OPTIONS
        assert start is None
        assert point.frames == len(indices)
    first, second = study.points
    assert (first.frames, second.frames) == (144, 36)
    assert second.step == pytest.approx(2 * first.step)
    assert first.epie.errors.pixels == second.ptychonn.errors.pixels


def test_only_what_was_held_out_is_found(small, model, engine):
    *_, study = run(small, model, every=(1,))
    pair = study.points[0].epie.aligned
    held_out = small.scan.positions[TRAINED:, 0]
    rows = np.flatnonzero(pair.mask.any(axis=1)) * pair.pixel_size[0] + pair.origin[0]
    assert held_out.min() < rows.min() and rows.max() < held_out.max()
    assert study.settings["judged"] == "held-out area"


def test_every_finished_step_is_there_at_once(small, model, engine):
    steps = run(small, model)
    studies = [s for s in steps if not isinstance(s, Progress)]
    assert [len(s.points) for s in studies] == [1, 2]
    assert [row["every"] for row in studies[-1].rows] == [1, 2]
    stages = {s.step for s in steps if isinstance(s, Progress)}
    assert stages == {"×1: PtychoNN", "×1: ePIE", "×2: PtychoNN", "×2: ePIE"}
    assert all(0 <= s.done <= s.total for s in steps if isinstance(s, Progress))


def test_stopping_keeps_what_is_finished(small, model, engine):
    asked = []
    kept = None
    for step in sparse_study(
        small.scan, model, small.truth, every=(1, 2), options=OPTIONS, should_stop=lambda: asked
    ):
        if isinstance(step, Progress):
            if step.step == "×2: ePIE" and step.done == 1:
                asked.append(True)
        else:
            kept = step
    assert [point.every for point in kept.points] == [1]


def test_numbers_and_sentence(small, model, engine, documented):
    *_, study = run(small, model)
    row = study.rows[0]
    assert [column for column in row if not documented(column)] == []
    found = study.points[0].epie
    assert row["epie_phase_mae"] == found.errors.phase_mae
    assert row["epie_seconds"] == 1.5
    assert f"{found.errors.phase_mae:.3f} rad at ×1" in study.sentence
    assert study.figure().axes


def test_without_an_engine_it_says_so_at_once(small, model, monkeypatch):
    monkeypatch.setattr(sparse, "why_not", lambda: "there is no engine.")
    with pytest.raises(InputError, match="no engine"):
        run(small, model)


@pytest.mark.parametrize(("every", "sentence"), [((), "at least one"), ((30,), "enclose")])
def test_steps_that_make_no_sense(small, model, engine, every, sentence):
    with pytest.raises(InputError, match=sentence):
        run(small, model, every=every)
