import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.optics.interpolation import cubic_weights

FRACTION = st.floats(0, 1, exclude_max=True)


@given(FRACTION)
def test_weights_reproduce_polynomials_to_second_order(fraction):
    weights = cubic_weights(np.array([fraction]))[0]
    taps = np.arange(-1, 3)
    for power in range(3):
        assert np.isclose(weights @ taps**power, fraction**power, atol=1e-12)


def test_nothing_is_lost_at_whole_pixels():
    np.testing.assert_array_equal(cubic_weights(np.zeros(1))[0], [0, 1, 0, 0])
    np.testing.assert_array_equal(cubic_weights(np.ones(1))[0], [0, 0, 1, 0])
