"""A training in a process of its own: what goes there, what comes back, how it ends."""

import json
import math
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.simulation.scan import Simulation
from napari_ptychonn.tasks import training_process
from napari_ptychonn.tasks.epoch_lines import format_epoch, parse_epoch
from napari_ptychonn.tasks.train import TrainTask
from napari_ptychonn.tasks.training_process import train_in_process


@pytest.fixture(scope="module")
def task():
    made = Simulation(points=(8, 8), frame_size=32).run()
    valid = np.ones((32, 32), bool)
    valid[3, 4] = False
    return TrainTask(
        scan=replace(made.scan, valid=valid),
        reconstruction=made.reconstruction,
        region=TrainingRegion.from_indices(made.scan, slice(2, 40)),
        training=TrainingOptions(epochs=2, batch_size=16, rescans=0),
        network=NetworkOptions(width=4, size=32),
        device="cpu",
    )


def test_stop_while_frames_are_handed_over_starts_nothing(task, monkeypatch):
    monkeypatch.setattr(training_process, "SubprocessRunner", None)
    assert list(train_in_process(task, 1, lambda: True)) == []


@pytest.fixture(scope="module")
def epochs(task):
    """The same training in this process."""
    return list(train(task.scan, task.reconstruction, task.region, task.training, task.network,
                      device="cpu"))  # fmt: skip


def test_an_epoch_survives_being_a_line(epochs):
    epoch = epochs[-1]
    line = json.loads(format_epoch(replace(epoch, train_loss=math.nan), saved=True))
    assert line["saved"] is True
    assert line["train_loss"] is None, "NaN is no JSON"
    back = parse_epoch(line, epoch.best)
    assert math.isnan(back.train_loss)
    assert replace(back, train_loss=0.0).messages == epoch.messages
    assert back.validation_loss == epoch.validation_loss


def test_a_process_of_its_own_learns_the_same(task, epochs):
    here, epochs = epochs, list(train_in_process(task, 1, lambda: False))
    assert [e.number for e in epochs] == [1, 2]
    assert [e.train_loss for e in epochs] == pytest.approx([e.train_loss for e in here], rel=1e-4)
    assert epochs[0].messages[0].startswith("training on cpu")
    best = epochs[-1].best
    assert len(best.history) == 2
    assert best.provenance["scan_key"] == task.scan.fingerprint
    assert best.provenance["training"] == asdict(task.training)
    assert len(next(best.predict(task.scan, np.arange(4), device="cpu"))) == 4


STAND_IN = """
import os, signal, shutil, sys
shutil.copy({model!r}, {folder!r})
print("a library says hello")
line = {line!r}
print(line, flush=True)
{end}
"""


@pytest.fixture
def stand_in(epochs, tmp_path, monkeypatch):
    """A process that tells of one epoch, and then does what it is given to do."""
    epochs[-1].best.save(tmp_path / training_process.MODEL)

    def install(end):
        def command(_name, folder, *_options):
            program = STAND_IN.format(
                model=str(tmp_path / training_process.MODEL),
                folder=folder,
                line=format_epoch(epochs[-1], saved=True),
                end=end,
            )
            return [sys.executable, "-c", program]

        monkeypatch.setattr(training_process, "command_line", command)

    return install


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_one_that_is_killed_leaves_the_best_model_and_a_sentence(task, stand_in):
    stand_in("os.kill(os.getpid(), signal.SIGKILL)")
    run = train_in_process(task, 1, lambda: False)
    assert len(next(run).best.history) == 2
    with pytest.raises(InputError, match=r"ended from outside \(SIGKILL\).*best model so far"):
        next(run)


def test_one_that_does_not_stop_when_asked_is_ended(task, stand_in, monkeypatch):
    monkeypatch.setattr(training_process, "PATIENCE", 0.2)
    monkeypatch.setattr(training_process, "LINGER", 0.2)
    stand_in("import time; time.sleep(100)")
    asked = []
    run = train_in_process(task, 1, lambda: bool(asked))
    next(run)
    asked.append(True)
    assert list(run) == []


def test_one_that_is_asked_to_stop_tells_a_last_epoch(task, stand_in):
    stand_in("print(line) if sys.stdin.readline() == 'stop\\n' else sys.exit(1)")
    asked = []
    run = train_in_process(task, 1, lambda: bool(asked))
    next(run)
    asked.append(True)
    assert len(list(run)) == 1


def test_what_a_process_says_at_its_end_is_what_is_said(task, monkeypatch):
    program = "import sys; sys.exit('a warning\\nerror: there is no such device.')"
    monkeypatch.setattr(
        training_process, "command_line", lambda *_: [sys.executable, "-c", program]
    )
    with pytest.raises(InputError, match=r"^there is no such device\.$"):
        list(train_in_process(task, 1, lambda: False))
