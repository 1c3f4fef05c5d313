import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.studies.size import TrainingRecipe, default_sizes, size_study
from napari_ptychonn.studies.study import Progress

NETWORK = NetworkOptions(size=32, width=4, refinements=0)
RECIPE = TrainingRecipe(training=TrainingOptions(steps=4, rescans=0), network=NETWORK)
TRAINED = 72
POOL = np.arange(TRAINED)


def run(small, **changes):
    wanted = {"sizes": (40, 72), "recipe": RECIPE, "device": "cpu"} | changes
    return size_study(small.scan, small.reconstruction, POOL, **wanted)


@pytest.fixture(scope="module")
def steps(small):
    return list(run(small, reference=small.truth))


def test_all_sizes_are_tested_on_the_same_frames(steps):
    *_, study = steps
    assert [p.frames for p in study.points] == [40, 72]
    assert {p.comparison.frames for p in study.points} == {144 - TRAINED}
    small, large = study.points
    assert small.trained < large.trained < 72
    assert all(p.seconds > 0 and p.steps == RECIPE.training.steps for p in study.points)
    assert study.reference == "simulated truth"


def test_the_amplitude_scale_of_a_reference_is_free(small, steps):
    from dataclasses import replace

    bright = replace(small.truth, object=3 * small.truth.object)
    *_, found = run(small, reference=bright)
    for point, expected in zip(found.points, steps[-1].points, strict=True):
        for errors in ("single_shot", "illuminated", "mosaic"):
            one, other = (getattr(p.comparison, errors).amplitude_mae for p in (point, expected))
            assert one == pytest.approx(other, rel=1e-3)


def test_every_finished_training_is_there_at_once(steps, documented):
    studies = [s for s in steps if not isinstance(s, Progress)]
    assert [len(s.points) for s in studies] == [1, 2]
    row = studies[-1].rows[1]
    assert row["frames"] == 72
    assert [column for column in row if not documented(column)] == []
    assert "after 40 frames" in studies[-1].sentence and "after 72 frames" in studies[-1].sentence
    curves = [axes for axes in studies[-1].figure().axes if axes.get_xlabel() == "training frames"]
    assert len(curves) == 3
    for axes in curves:
        highest = max(np.max(line.get_ydata()) for line in axes.lines)
        assert axes.get_ylim()[1] > 1.02 * highest, "the marker of the highest is not cut"


def test_stopping_keeps_what_is_finished(small):
    asked, kept = [], None
    for step in run(small, should_stop=lambda: asked):
        if isinstance(step, Progress):
            if step.step == "72 frames: training" and step.done:
                asked.append(True)
        else:
            kept = step
    assert [point.frames for point in kept.points] == [40]


@pytest.mark.parametrize(
    ("frames", "sizes"), [(50, (50,)), (100, (100,)), (387, (100, 200, 387)), (99, (99,))]
)
def test_sizes_are_those_that_there_are_frames_for(frames, sizes):
    assert default_sizes(frames) == sizes


@pytest.mark.parametrize("sizes", [(), (5,), (40, 73)])
def test_sizes_that_make_no_sense(small, sizes):
    with pytest.raises(InputError, match="sizes from 10 to 72"):
        list(run(small, sizes=sizes))


def test_nothing_held_out_is_refused(small):
    everything = np.arange(len(small.scan))
    with pytest.raises(InputError, match="no frames to test on"):
        list(size_study(small.scan, small.reconstruction, everything, recipe=RECIPE))


def test_a_reference_of_the_training_region_is_refused_before_hours_of_work(small):
    from dataclasses import replace

    half = replace(small.truth, indices=POOL, positions=small.scan.positions[POOL])
    with pytest.raises(InputError, match="without any of the 72 held-out frames"):
        list(run(small, reference=half))
