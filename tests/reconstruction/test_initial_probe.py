import numpy as np
import pytest
import scipy.fft

from napari_ptychonn.optics.probe import ZonePlate, shift_ramp
from napari_ptychonn.reconstruction.initial_probe import (
    estimate_probe,
    footprint,
    off_centre,
    with_modes,
    with_power,
)


@pytest.fixture(scope="module")
def beam():
    return ZonePlate().probe((32, 32), 10e-9)[None].astype(np.complex64)


def test_the_estimate_has_the_counts_and_the_far_field_of_the_mean_frame(beam):
    frame = np.fft.fftshift(np.abs(scipy.fft.fft2(beam[0], norm="ortho")) ** 2) * 1e4
    probe = estimate_probe(frame)
    assert probe.shape == (1, 32, 32)
    assert np.sum(np.abs(probe) ** 2) == pytest.approx(frame.sum(), rel=1e-5)
    far = np.abs(scipy.fft.fft2(np.fft.ifftshift(probe[0]), norm="ortho")) ** 2
    np.testing.assert_allclose(np.fft.fftshift(far), frame, atol=1e-4 * frame.max())
    np.testing.assert_allclose(off_centre(probe), 0.0, atol=0.6)


def test_modes_are_orthogonal_weaker_and_of_the_same_power(beam):
    modes = with_modes(beam, 6)
    assert modes.shape == (6, 32, 32)
    flat = modes.reshape(6, -1)
    overlap = np.abs(flat.conj() @ flat.T)
    power = np.diag(overlap)
    assert (np.diff(power) < 0).all()
    np.testing.assert_allclose(overlap - np.diag(power), 0.0, atol=1e-5 * power[0])
    assert power.sum() == pytest.approx(np.sum(np.abs(beam) ** 2), rel=1e-5)


def test_modes_that_are_there_are_kept(beam):
    two = with_modes(beam, 2)
    one = with_modes(two, 1)
    np.testing.assert_allclose(one / np.linalg.norm(one), beam / np.linalg.norm(beam), atol=1e-5)


def test_power_is_as_asked(beam):
    assert np.sum(np.abs(with_power(beam, 123.0)) ** 2) == pytest.approx(123.0, rel=1e-5)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -1.0), (0.4, 1.7)])
def test_a_shifted_beam_is_found_off_centre_by_its_shift(shift):
    rows, columns = np.meshgrid(*(np.arange(n) - n // 2 for n in (32, 30)), indexing="ij")
    beam = np.exp(-(rows**2 + columns**2) / 18).astype(np.complex64)[None]
    moved = np.fft.ifft2(np.fft.fft2(beam) * shift_ramp((32, 30), *shift))
    np.testing.assert_allclose(off_centre(moved), shift, atol=1e-3)


def test_the_footprint_of_a_flat_disc_is_its_area():
    rows, columns = np.indices((40, 40)) - 20
    disc = (rows**2 + columns**2 < 100).astype(np.complex64)
    assert footprint(disc[None]) == pytest.approx(disc.real.sum())
    assert footprint(np.stack([disc, 1j * disc])) == pytest.approx(disc.real.sum())
