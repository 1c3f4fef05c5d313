import numpy as np

from napari_ptychonn.optics.illumination import illumination_weight


def test_weight_is_largest_where_the_beam_is(toy):
    weight = illumination_weight(toy.truth.probe, (64, 64))
    assert weight.dtype == np.float32
    assert weight.max() == 1
    assert weight.min() >= 0.02
    assert np.hypot(*np.subtract(np.unravel_index(weight.argmax(), weight.shape), 32)) < 4


def test_patch_and_probe_share_their_centre():
    spot = np.zeros((1, 33, 40), np.complex64)
    spot[0, 16, 20] = 1
    for shape in ((16, 16), (64, 50), (20, 64)):
        weight = illumination_weight(spot, shape)
        assert np.unravel_index(weight.argmax(), shape) == (shape[0] // 2, shape[1] // 2)


def test_modes_add_their_intensities():
    modes = np.zeros((2, 32, 32), np.complex64)
    modes[0, 10, 10], modes[1, 20, 20] = 1, 1j
    weight = illumination_weight(modes, (32, 32))
    assert weight[10, 10] == weight[20, 20]
