import numpy as np
import pytest
import torch

from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import PRESETS, NetworkOptions, TrainingOptions
from napari_ptychonn.network.ptychonn import PtychoNN, parameter_count
from napari_ptychonn.optics.far_field import FarField


@pytest.mark.parametrize(("preset", "count"), [("paper", 1_247_074), ("paper-keras", 1_154_210)])
def test_published_networks_have_the_published_number_of_parameters(preset, count):
    assert parameter_count(PtychoNN(NetworkOptions.preset(preset))) == count


@pytest.mark.parametrize("preset", PRESETS)
def test_one_frame_becomes_one_patch(preset):
    network = PtychoNN(NetworkOptions.preset(preset)).eval()
    with torch.inference_mode():
        amplitude, phase = network(torch.rand(2, 1, 64, 64))
    assert amplitude.shape == phase.shape == (2, 1, 64, 64)


def test_published_outputs_keep_their_range():
    network = PtychoNN(NetworkOptions.preset("paper")).eval()
    with torch.inference_mode():
        amplitude, phase = network(1e4 * torch.rand(2, 1, 64, 64))
    assert 0 <= amplitude.min() <= amplitude.max() <= 1
    assert phase.abs().max() <= np.pi + 1e-6


def test_standardised_heads_start_at_the_labels_mean_and_spread():
    network = PtychoNN(NetworkOptions(width=4).without_probe()).eval()
    frames = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        plain, _ = network(frames)
        network.label_mean[0], network.label_spread[0] = 0.9, 0.1
        shifted, _ = network(frames)
    torch.testing.assert_close(shifted, 0.9 + 0.1 * plain)


def test_paper_recipe_is_the_published_one():
    recipe = TrainingOptions.preset("paper")
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (75, 32, 1e-3)
    assert (recipe.schedule, recipe.patience, recipe.rescans) == ("plateau", 5, 0)
    assert (recipe.loss_weight, recipe.offset_weight) == ("uniform", 1.0)


def test_a_network_that_knows_the_beam_takes_whole_frames_of_any_size():
    beam = FarField.blank((2, 96, 80))
    network = PtychoNN(NetworkOptions(width=4, refinements=3), beam).eval()
    frames = torch.rand(2, 1, 96, 80)
    with torch.inference_mode():
        stages = network.stages(frames)
        residual = network.residual(*stages[-1], frames)
    assert [tuple(part.shape) for stage in stages for part in stage] == [(2, 1, 64, 64)] * 8
    assert residual.shape == (2,)


def test_a_network_without_a_beam_cannot_judge_itself():
    network = PtychoNN(NetworkOptions.preset("paper"))
    patch = torch.zeros(1, 1, 64, 64)
    assert network.residual(patch, patch, patch) is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: NetworkOptions(size=60), "multiple of 8"),
        (lambda: NetworkOptions(refinements=-1), "refinements"),
        (lambda: NetworkOptions.preset("best"), "no preset 'best'"),
        (lambda: TrainingOptions(batch_size=0), "batch"),
        (lambda: TrainingOptions(learning_rate=0.0), "learning_rate"),
    ],
)
def test_options_that_make_no_sense_say_so(make, says):
    with pytest.raises(InputError, match=says):
        make()
