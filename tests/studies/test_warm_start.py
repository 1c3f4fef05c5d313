import pytest

from napari_ptychonn.reconstruction import EngineOptions
from napari_ptychonn.studies.study import Progress
from napari_ptychonn.studies.warm_start import FLAT, FLAT_AND_PROBE, MOSAIC, warm_start_study

TRAINED = 72


@pytest.fixture
def steps(small, model, engine):
    options = EngineOptions(iterations=20, first_probe="estimated")
    return list(warm_start_study(small.scan, model, small.truth, options=options, device="cpu"))


def test_three_beginnings_on_the_held_out_frames(steps, engine, small, model):
    *_, study = steps
    assert [curve.beginning for curve in study.curves] == [FLAT, FLAT_AND_PROBE, MOSAIC]
    assert all(list(indices) == list(range(TRAINED, 144)) for _, indices, _ in engine.calls)
    flat, with_probe, mosaic = (start for _, _, start in engine.calls)
    assert flat is None
    assert with_probe.object.shape == (1, 1)
    assert with_probe.probe is model.probe
    assert mosaic.algorithm == "PtychoNN"
    # A start's probe counts only where it is asked for.
    assert [o.first_probe for o, _, _ in engine.calls] == ["estimated", "known", "known"]


def test_iterations_to_the_same_error(steps):
    *_, study = steps
    reached = study.reached()
    assert reached[MOSAIC].iteration < reached[FLAT].iteration
    assert reached[FLAT].seconds == 0.5 * reached[FLAT].iteration
    assert f"{reached[MOSAIC].iteration} iterations" in study.sentence
    assert all(point.phase_rms <= study.target for point in reached.values())
    flat, _, mosaic = study.curves
    assert flat.find_misfit(study.misfit).iteration == 20
    assert mosaic.find_misfit(study.misfit).iteration < 20
    assert study.summary[1][0][:3] == (FLAT, str(reached[FLAT].iteration), "20")


def test_curves_begin_where_the_run_does_and_fall(steps, documented):
    *_, study = steps
    flat, _, mosaic = study.curves
    assert flat.points[0].iteration == 1
    assert mosaic.points[0].iteration == 0
    assert mosaic.points[0].misfit is None
    assert flat.points[-1].iteration == 20
    assert flat.points[-1].phase_rms < flat.points[0].phase_rms
    assert [row["begins_with"] for row in study.rows].count(FLAT) == len(flat.points)
    assert [column for column in study.rows[0] if not documented(column)] == []
    assert study.figure().axes


def test_an_error_that_is_never_reached_is_said(steps):
    *_, study = steps
    assert study.curves[0].find_phase_error(0.0) is None


def test_stopping_keeps_finished_runs(small, model, engine):
    asked, kept = [], None
    for step in warm_start_study(
        small.scan,
        model,
        small.truth,
        options=EngineOptions(iterations=3),
        should_stop=lambda: asked,
    ):
        if isinstance(step, Progress):
            if step.step == MOSAIC:
                asked.append(True)
        else:
            kept = step
    assert [curve.beginning for curve in kept.curves] == [FLAT, FLAT_AND_PROBE]
    assert kept.figure().axes
