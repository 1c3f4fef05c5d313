import itertools
from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.pretraining import Pretraining
from napari_ptychonn.tasks import preview
from napari_ptychonn.tasks.events import EpochEnded, TrainingPreview
from napari_ptychonn.tasks.preview import PreviewBudget
from napari_ptychonn.tasks.train import PretrainTask


def test_training_yields_epochs_and_previews_of_the_whole_scan(small, train_task, monkeypatch):
    monkeypatch.setattr(preview, "PREVIEW_PAUSE", 0.0)
    monkeypatch.setattr(preview, "PREVIEW_SHARE", 0.9)
    events = list(train_task(steps=100).run())
    assert isinstance(events[0], EpochEnded)
    previews = [e for e in events if isinstance(e, TrainingPreview)]
    full = next(p for p in previews if p.mosaic is not None)
    assert len(full.predictions) == len(small.scan)
    assert np.isfinite(full.mosaic.phase).any()


def test_a_preview_of_one_point_is_of_the_point_on_screen(train_task, monkeypatch):
    monkeypatch.setattr(preview, "PREVIEW_PAUSE", 0.0)
    monkeypatch.setattr(PreviewBudget, "affords_mosaic", lambda _: False)
    monkeypatch.setattr(PreviewBudget, "affords_point", lambda _: True)
    previews = [e for e in train_task(steps=50).run() if isinstance(e, TrainingPreview)]
    assert previews
    assert all(p.predictions.indices.tolist() == [5] for p in previews)
    assert all(p.mosaic is None for p in previews)


def test_stopping_ends_with_the_best_model(train_task):
    checks = itertools.count()
    events = list(train_task(epochs=10_000).run(lambda: next(checks) > 30))
    assert isinstance(events[-1], EpochEnded)
    assert events[-1].epoch.number < 10_000
    assert len(events[-1].epoch.best.history) >= 1


def test_a_negative_number_of_processes_is_refused(train_task):
    with pytest.raises(InputError) as caught:
        replace(train_task(), processes=-1)
    assert caught.value.got == -1


def test_pretraining_previews_the_measured_scan(small, monkeypatch):
    monkeypatch.setattr(preview, "PREVIEW_PAUSE", 0.0)
    monkeypatch.setattr(preview, "PREVIEW_SHARE", 0.9)
    task = PretrainTask(
        scan=small.scan,
        reconstruction=small.reconstruction,
        pretraining=Pretraining(points=64),
        training=TrainingOptions(steps=60, batch_size=16, rescans=0.0),
        network=NetworkOptions(size=32, width=4),
        device="cpu",
    )
    events = list(task.run())
    previews = [e for e in events if isinstance(e, TrainingPreview) and e.mosaic is not None]
    assert len(previews[0].predictions) == len(small.scan)
    best = [e.epoch.best for e in events if isinstance(e, EpochEnded)][-1]
    assert best.provenance["scan_key"] != small.scan.fingerprint, "trained on simulated frames"


def test_pretraining_stopped_at_once_trains_nothing(small):
    task = PretrainTask(scan=small.scan, reconstruction=small.reconstruction,
                        pretraining=Pretraining(points=16))  # fmt: skip
    assert list(task.run(lambda: True)) == []
