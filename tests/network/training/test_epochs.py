import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from napari_ptychonn.data import patch_store as stored
from napari_ptychonn.data.region import Split, TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.network.training import data as training_data
from napari_ptychonn.network.training import labels
from napari_ptychonn.network.training.data import TrainingData, TrainingSource
from napari_ptychonn.network.training.epochs import train
from napari_ptychonn.network.training.trainer import Trainer, largest_residual_limit

PREPARE = Preprocessing.read
SMALL = NetworkOptions(width=4, size=32)
PLAIN = TrainingOptions(epochs=3, rescans=0, batch_size=32)


@pytest.fixture
def run(toy):
    def run(
        options=PLAIN,
        network=SMALL,
        *,
        scan=None,
        reconstruction=None,
        lines=(0, 8),
        split=None,
        **kwargs,
    ):
        scan = scan or toy.scan
        region = TrainingRegion.from_lines(scan, *lines, split)
        reconstruction = reconstruction or toy.reconstruction
        return list(train(scan, reconstruction, region, options, network, device="cpu", **kwargs))

    return run


def test_epochs_count_time_and_losses(run):
    epochs = run()
    assert [e.number for e in epochs] == [1, 2, 3]
    assert epochs[-1].step == epochs[-1].steps == 3 * 2  # 96 chosen, 64 train beyond the gap
    assert epochs[-1].remaining == 0
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert all(np.isfinite(e.validation_loss) for e in epochs)
    assert "training on cpu" in epochs[0].messages[0]
    assert len(epochs[-1].best.history) == 3


def test_the_same_seed_gives_the_same_weights(run):
    first, again, other = (run(replace(PLAIN, seed=s, rescans=1))[-1].best for s in (1, 1, 2))
    for name, value in first.state.items():
        torch.testing.assert_close(value, again.state[name], rtol=0, atol=0)
    assert any(not torch.equal(v, other.state[k]) for k, v in first.state.items())


def test_global_random_state_is_left_alone(run):
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    run(replace(PLAIN, epochs=1))
    torch.testing.assert_close(torch.random.get_rng_state(), before)


def test_a_budget_in_steps_is_kept_for_any_number_of_frames(run):
    assert run(replace(PLAIN, epochs=0, steps=30))[-1].steps == 50  # whole epochs of 25
    assert run(replace(PLAIN, epochs=0, steps=10))[-1].steps == 10


def test_best_is_the_lowest_validation_loss(run):
    epochs = run(replace(PLAIN, epochs=6, learning_rate=0.05))
    best = min(epochs, key=lambda e: e.validation_loss)
    assert best.is_best
    for name, value in best.best.state.items():
        torch.testing.assert_close(value, epochs[-1].best.state[name], rtol=0, atol=0)


def test_without_validation_the_latest_model_is_kept(run):
    epochs = run(split=Split(fraction=0))
    assert all(e.validation_loss is None and e.is_best for e in epochs)


def after(calls):
    """Ask to stop from a call on."""
    asked = itertools.count()
    return lambda: next(asked) >= calls


READING = 3
"""Calls while frames are examined, and while training and validation frames are read."""


def test_stop_takes_effect_within_a_batch_and_keeps_the_best(run):
    epochs = run(replace(PLAIN, epochs=50), should_stop=after(READING + 5))
    assert epochs[-1].step == 5
    assert "stopped" in epochs[-1].messages[-1]
    assert epochs[-1].remaining == 0
    np.testing.assert_allclose(epochs[-1].best.history[-1]["train_loss"], epochs[-1].train_loss)


def test_stop_before_the_first_batch_still_ends_with_an_epoch(run):
    epochs = run(should_stop=after(READING))
    assert len(epochs) == 1
    assert epochs[0].step == 0


def test_stop_takes_effect_while_frames_are_read(run, monkeypatch):
    monkeypatch.setattr(labels, "READ", 8)
    read = []
    monkeypatch.setattr(
        Preprocessing,
        "read",
        lambda self, scan, rows: read.append(rows) or PREPARE(self, scan, rows),
    )
    assert run(should_stop=after(READING)) == []
    assert [len(rows) for rows in read if len(rows) <= 8] == [8, 8]


def test_no_more_frames_are_read_than_training_looks_at(run, monkeypatch):
    monkeypatch.setattr(training_data, "ALL_TRAINING", 20)
    monkeypatch.setattr(training_data, "MOST_VALIDATING", 5)
    epochs = run(replace(PLAIN, epochs=0, steps=2, batch_size=16))
    origin = epochs[-1].best.provenance
    assert len(origin["train"]) == 32
    assert len(origin["validation"]) == 5
    assert any("32 of the" in message for message in epochs[0].messages)
    used = np.concatenate([origin[part] for part in ("train", "validation", "gap")])
    assert len(np.unique(used)) == len(used)
    again = run(replace(PLAIN, epochs=0, steps=2, batch_size=16))
    assert again[-1].best.provenance["train"] == origin["train"]


def test_frames_that_do_not_fit_into_memory_train_the_same(run, monkeypatch):
    whole = run()[-1]
    monkeypatch.setattr(stored, "TRAINED_IN_MEMORY", 0)
    mapped = run()[-1]
    assert mapped.train_loss == whole.train_loss
    assert mapped.validation_loss == whole.validation_loss


def test_training_goes_on_from_a_model(run):
    first = run()[-1].best
    more = run(resume=first)
    assert [e.number for e in more] == [4, 5, 6]
    assert more[0].train_loss < run()[0].train_loss
    assert len(more[-1].best.history) == 6


def test_going_on_keeps_the_moments_of_adam(run):
    first = run(split=Split(fraction=0))[-1].best
    assert {name.rsplit(".", 1)[0] for name in first.optimiser} == {"exp_avg", "exp_avg_sq", "step"}
    again = run(resume=first, split=Split(fraction=0))[-1].best
    assert float(first.optimiser["step.0"]) == 9
    assert float(again.optimiser["step.0"]) == 18


def test_frames_of_every_stage_count_as_trained(run, toy):
    first = run(lines=(0, 4))[-1].best
    second = run(lines=(4, 8), resume=first)[-1].best
    held_out = second.held_out(toy.scan)
    assert not np.isin(held_out, first.provenance["train"]).any()
    assert not np.isin(held_out, second.provenance["train"]).any()
    third = run(lines=(0, 8), resume=second)[-1].best
    assert [stage["train"] for stage in third.stages] == [
        model.provenance["train"] for model in (third, second, first)
    ]


def test_a_better_model_is_kept_when_training_goes_on(run):
    first = run()[-1].best
    ruined = run(replace(PLAIN, learning_rate=1.0), resume=first)
    assert not any(epoch.is_best for epoch in ruined)
    assert all(
        torch.equal(ruined[-1].best.state[name], weights) for name, weights in first.state.items()
    )


def test_going_on_with_another_network_is_refused(run):
    first = run(replace(PLAIN, epochs=1))[-1].best
    with pytest.raises(InputError, match="other options"):
        run(network=NetworkOptions(width=8), resume=first)


def test_plateau_halves_the_rate_and_early_stop_ends(run):
    flat = replace(PLAIN, epochs=40, schedule="plateau", patience=1, stop_after=3)
    epochs = run(replace(flat, learning_rate=1e-6))
    assert epochs[-1].learning_rate >= 1e-7
    noisy = run(replace(flat, learning_rate=0.1))
    assert len(noisy) < 40
    assert "no better validation loss" in noisy[-1].messages[-1]
    assert min(e.learning_rate for e in noisy) < 0.1


def test_out_of_memory_halves_the_batch_and_says_so(run, monkeypatch):
    stages = PtychoNN.stages

    def small_device(self, frames):
        if len(frames) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return stages(self, frames)

    plain = run(replace(PLAIN, epochs=2))
    monkeypatch.setattr(PtychoNN, "stages", small_device)
    epochs = run(replace(PLAIN, epochs=2))
    said = [m for e in epochs for m in e.messages if "out of memory" in m]
    assert [m.rsplit(" ", 4)[-4] for m in said] == ["16", "8"]
    assert epochs[-1].step == plain[-1].step


def test_memory_for_not_even_one_frame_is_one_sentence(run, monkeypatch):
    def no_memory(self, frames):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(PtychoNN, "stages", no_memory)
    with pytest.raises(InputError, match="too little memory"):
        run()


def test_a_loss_that_is_not_finite_stops_and_keeps_the_best(run, monkeypatch):
    step, taken = Trainer.step, []

    def diverging(self, batch, number, share):
        taken.append(number)
        loss = step(self, batch, number, share)
        return loss * float("nan") if len(taken) > 4 else loss

    monkeypatch.setattr(Trainer, "step", diverging)
    epochs = run(replace(PLAIN, epochs=20))
    assert len(epochs) == 3
    assert "not finite" in epochs[-1].messages[-1]
    assert epochs[0].is_best
    assert not epochs[-1].is_best
    assert all(torch.isfinite(v).all() for v in epochs[-1].best.state.values())


def test_frames_whose_patch_is_not_on_the_object_are_left_out_and_counted(toy, run):
    cropped = replace(toy.reconstruction, object=toy.reconstruction.object[26:])
    first = run(
        replace(PLAIN, epochs=1),
        reconstruction=replace(
            cropped, origin=(cropped.origin[0] + 26 * cropped.pixel_size[0], cropped.origin[1])
        ),
    )[0]
    assert any("frames are left out" in m for m in first.messages)
    assert set(first.best.provenance["gap"]) & set(range(24))


def test_no_patch_on_the_object_is_one_sentence(toy, run):
    tiny = replace(toy.reconstruction, object=toy.reconstruction.object[:40, :40])
    with pytest.raises(InputError, match="training patches lie on the object"):
        run(reconstruction=tiny)


def test_without_a_probe_measured_frames_serve_and_it_says_so(toy, run):
    blind = replace(toy.reconstruction, probe=None)
    first = run(replace(PLAIN, epochs=1, rescans=3), reconstruction=blind)[0]
    assert any("measured frames only" in m and "no probe" in m for m in first.messages)


def test_going_on_with_another_beam_uses_that_beam(run, toy):
    first = run(replace(PLAIN, epochs=1))[-1].best
    brighter = replace(toy.scan, frames=toy.scan.frames.astype(np.uint32) * 4)
    again = run(replace(PLAIN, epochs=1), scan=brighter, resume=first)[-1].best
    before, after = (float(m.state["far_field.probe_real"].square().sum()) for m in (first, again))
    assert after == pytest.approx(4 * before, rel=0.01)


def test_a_wrapped_label_does_no_harm(run, toy):
    """The same object a turn of the phase farther on gives the same loss."""
    turned = replace(toy.reconstruction, object=-toy.reconstruction.object)
    plain, other = (run(replace(PLAIN, epochs=1), reconstruction=r)[0].train_loss
                    for r in (toy.reconstruction, turned))  # fmt: skip
    assert other == pytest.approx(plain, rel=0.02)


LEARNING = TrainingOptions(epochs=0, steps=100, batch_size=16)


def test_it_learns(run, toy):
    """A minute's worth of steps beats the constant by far on held-out frames."""
    from napari_ptychonn.comparison.metrics import compare
    from napari_ptychonn.data.patches import Patches

    best = run(LEARNING, NetworkOptions(width=8))[-1].best
    held_out = best.held_out(toy.scan)
    predicted = Patches.join(list(best.predict(toy.scan, held_out, device="cpu")))
    assert (predicted.residual > best.residual_limit).mean() < 0.5
    placed, positions = toy.reconstruction.align_to(toy.scan)
    result = compare(predicted, positions[held_out], placed)
    assert result.illuminated.phase_mae < 0.65 * result.illuminated.constant_phase_mae
    assert result.illuminated.phase_correlation > 0.5


def test_a_model_that_explains_nothing_does_not_agree(run, toy):
    """Labels of other frames: what is predicted is not what the frames show."""
    upside_down = replace(toy.scan, frames=toy.scan.frames[:, ::-1])
    best = run(LEARNING, NetworkOptions(width=8), scan=upside_down)[-1].best
    residual = np.concatenate([batch.residual for batch in best.predict(upside_down, device="cpu")])
    assert (residual > best.residual_limit).mean() > 0.5


@given(
    noise=st.floats(0.01, 2),
    structure=st.floats(0, 1000),
    explained=st.floats(-10, 1),
)
def test_no_limit_lets_a_prediction_without_structure_agree(noise, structure, explained):
    flat = noise + structure
    limit = largest_residual_limit(noise, flat - explained * structure, flat)
    assert limit >= 1.25 * noise * (1 - 1e-9)
    assert limit < flat or structure <= 0.7 * noise
    # The better the labels explain the frames, the more is expected of predictions.
    assert limit >= largest_residual_limit(noise, noise, flat)


class Waiting(TorchDispatchMode):
    """Notes when the host reads a number off the device, and so waits for it."""

    def __init__(self):
        super().__init__()
        self.read = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op.name() in ("aten::_local_scalar_dense", "aten::nonzero"):
            self.read.append(op.name())
        return op(*args, **(kwargs or {}))


def test_no_step_waits_for_the_device(toy):
    region = TrainingRegion.from_lines(toy.scan, 0, 8)
    options = TrainingOptions(batch_size=8, rescans=1)
    source = TrainingSource(scan=toy.scan, reconstruction=toy.reconstruction, region=region)
    data = TrainingData.load(source, options, SMALL, "cpu")
    trainer, batches = Trainer(options, SMALL, data, "cpu", 2), data.batches(options)
    waiting = Waiting()
    with waiting:
        loss = trainer.step(next(batches)[0], 0)
    assert waiting.read == []
    with waiting:
        float(loss)
    assert len(waiting.read) == 1, "the check itself works"
