import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants

from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.data.scan import ELECTRONVOLT, PLANCK_TIMES_C, Optics, Scan
from napari_ptychonn.errors import InputError


def scan_of(n=6, shape=(8, 10), **known):
    frames = np.arange(n * np.prod(shape)).reshape(n, *shape)
    positions = np.stack([np.zeros(n), np.arange(n) * 3.0], axis=1)
    return Scan(**{"frames": frames, "positions": positions} | known)


def test_object_pixel_follows_the_cropped_detector():
    optics = Optics.from_energy(8800.0, detector_distance=1.0, detector_pitch=(55e-6, 75e-6))
    whole, half = optics.object_pixel((256, 256)), optics.object_pixel((128, 256))
    wavelength = 12.398419843320026e-10 / 8.8
    assert whole == pytest.approx((wavelength / (256 * 55e-6), wavelength / (256 * 75e-6)))
    assert half == pytest.approx((2 * whole[0], whole[1]))
    assert optics.energy_kev == pytest.approx(8.8)


def test_unknown_geometry_has_no_object_pixel():
    assert Optics(wavelength=1e-10).object_pixel((64, 64)) is None
    assert Optics().energy_kev is None


def test_reads_any_order_repeats_and_windows():
    scan = scan_of()
    order = np.array([4, 1, 1, 5])
    window = (slice(2, 6), slice(3, 10))
    np.testing.assert_array_equal(scan.read(order), scan.frames[order])
    np.testing.assert_array_equal(scan.read(order, window), scan.frames[order][:, 2:6, 3:10])
    assert scan.read(np.arange(0)).shape == (0, 8, 10)


def test_contiguous_frames_are_read_as_one_slab():
    class Recorder:
        shape, dtype, keys = (6, 4, 4), np.dtype(int), []

        def __getitem__(self, key):
            self.keys.append(key[0])
            return np.zeros(self.shape)[key]

    scan = scan_of(frames=(stack := Recorder()))
    scan.read(np.array([3, 2, 4]))
    assert stack.keys == [slice(2, 5)]


def test_step_is_the_distance_to_the_nearest_point():
    assert scan_of().step == 3.0
    assert scan_of(n=1).step == 0.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"positions": np.zeros((5, 2))}, "one .y, x. position for each of 6 frames"),
        ({"positions": np.full((6, 2), np.nan)}, "6 of 6 positions are not finite"),
        ({"frames": np.zeros((6, 8))}, "expected frames"),
        ({"valid": np.ones((8, 8), bool)}, r"expected a mask of shape \(8, 10\)"),
        ({"line": np.zeros(3, int)}, "expected 6 scan-line numbers"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        scan_of(**wrong)


def test_fingerprint_knows_the_scan():
    assert scan_of().fingerprint == scan_of().fingerprint
    assert scan_of().fingerprint != scan_of(positions=np.ones((6, 2))).fingerprint
    assert scan_of().fingerprint != scan_of(frames=np.zeros((6, 8, 10))).fingerprint


def test_calibration_turns_pixels_into_metres():
    metres = scan_of().in_metres((10e-9, 20e-9))
    assert metres.unit == "m"
    np.testing.assert_allclose(metres.positions, scan_of().positions * [10e-9, 20e-9])


def test_constants_are_those_of_scipy():
    assert pytest.approx(constants.h * constants.c, rel=1e-15) == PLANCK_TIMES_C
    assert constants.eV == ELECTRONVOLT
    # A photon of the rest energy has the Compton wavelength.
    compton = Optics(wavelength=constants.physical_constants["Compton wavelength"][0])
    rest = constants.m_e * constants.c**2 / constants.eV / 1e3
    assert compton.energy_kev == pytest.approx(rest, rel=1e-8)
    # sqrt(2) - 1 of it is the kinetic energy of an electron of that wavelength.
    assert compton.electron_kev == pytest.approx((2**0.5 - 1) * 510.99895, rel=1e-6)


@given(
    exposures=st.integers(2, 4),
    noise=st.floats(0, 0.02),
    step=st.floats(1e-9, 1e-5),
    alternating=st.booleans(),
)
def test_several_exposures_of_a_point_count_once(exposures, noise, step, alternating):
    grid = np.mgrid[:8, :9].reshape(2, -1).T * step
    repeated = np.tile(grid, (exposures, 1)) if alternating else np.repeat(grid, exposures, axis=0)
    moved = repeated + noise * step * np.random.default_rng(0).standard_normal(repeated.shape)
    scan = Scan(frames=np.zeros((len(moved), 2, 2)), positions=moved, unit="m")
    assert scan.step == pytest.approx(step, rel=0.15)
    region = TrainingRegion.from_indices(scan, slice(0, len(moved)))
    apart = np.hypot(*(moved[region.train][:, None] - moved[region.validation][None]).T)
    assert apart.min() > 1.5 * step
