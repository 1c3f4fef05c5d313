from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.tasks.compare import CompareTask
from napari_ptychonn.tasks.predict import PredictTask


@pytest.fixture(scope="module")
def result(small, model):
    *_, last = PredictTask(scan=small.scan, model=model, device="cpu").run()
    return last.result


def test_held_out_frames_are_compared_by_default(result, small, region):
    (event,) = CompareTask(result=result, reconstruction=small.reconstruction).run()
    assert event.report.comparison.frames == len(region.held_out)


def test_all_frames_are_compared_where_none_were_held_out(result, small):
    foreign = replace(result, held_out=None)
    (event,) = CompareTask(result=foreign, reconstruction=small.reconstruction).run()
    assert event.report.comparison.frames == len(small.scan)


def test_frames_can_be_chosen(result, small):
    task = CompareTask(result=result, reconstruction=small.reconstruction, indices=np.arange(9))
    (event,) = task.run()
    assert event.report.comparison.frames == 9
