"""The simulated scan, against an independent forward model and elementary statistics."""

from dataclasses import replace

import numpy as np
import pytest

from napari_ptychonn.data.patches import cut_patches
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.errors import InputError
from napari_ptychonn.simulation.scan import Simulation, diffract, simulate_scan


@pytest.fixture(scope="module")
def simulated():
    return Simulation(points=(6, 5), jitter=4e-9, modes=2, photons=1e5, seed=4).run()


def naive_intensity(reconstruction, position):
    """Sum over pixels, one by one: no FFT, no shared code; whole-pixel positions only."""
    _, n, _ = reconstruction.probe.shape
    k = np.arange(n)
    # Row u of this matrix is the plane wave of detector row u, zero frequency at n // 2.
    plane_waves = np.exp(-2j * np.pi * np.outer(k - n // 2, k) / n) / np.sqrt(n)
    intensity = np.zeros((n, n))
    for mode in reconstruction.probe.astype(complex):
        exit_wave = np.empty((n, n), complex)
        for i in range(n):
            for j in range(n):
                y = position[0] + (i - n // 2) * reconstruction.pixel_size[0]
                x = position[1] + (j - n // 2) * reconstruction.pixel_size[1]
                row = round((y - reconstruction.origin[0]) / reconstruction.pixel_size[0])
                column = round((x - reconstruction.origin[1]) / reconstruction.pixel_size[1])
                exit_wave[i, j] = mode[i, j] * reconstruction.object[row, column]
        intensity += np.abs(plane_waves @ exit_wave @ plane_waves.T) ** 2
    return intensity


def test_forward_model_agrees_with_a_naive_sum():
    truth = Simulation(points=(3, 4), modes=2, seed=1).run().truth
    for k in (0, 7, 11):
        fast = diffract(truth, truth.positions[k : k + 1])[0]
        np.testing.assert_allclose(fast, naive_intensity(truth, truth.positions[k]), atol=0.5)


def test_a_sub_pixel_position_equals_a_sub_pixel_window():
    """Of a band-limited object, where both are exact: shift the sample the other way."""
    rng = np.random.default_rng(0)
    n, probe_size = 96, 32
    spectrum = np.zeros((n, n), complex)
    spectrum[:8, :8] = rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8))
    fraction = np.array([0.3, -0.45])
    frequency = np.fft.fftfreq(n)
    ramp = np.exp(2j * np.pi * (fraction[0] * frequency[:, None] + fraction[1] * frequency))
    window = np.hypot(*(np.indices((probe_size, probe_size)) - probe_size // 2))
    probe = np.exp(-((window / 4.0) ** 2))[None].astype(np.complex64)

    def through(sample, position):
        made = Reconstruction(object=np.fft.ifft2(sample).astype(np.complex64) * 100, probe=probe)
        return diffract(made, np.array([position]))[0]

    moved_beam = through(spectrum, (48 + fraction[0], 48 + fraction[1]))
    moved_sample = through(spectrum * ramp, (48.0, 48.0))
    np.testing.assert_allclose(moved_beam, moved_sample, atol=1e-4 * moved_sample.max())


def test_energy_is_conserved(simulated):
    truth = simulated.truth
    open_field = replace(truth, object=np.ones_like(truth.object))
    counts = diffract(open_field, truth.positions).sum(axis=(1, 2))
    # Loose by what leaves the window when a beam is moved by a fraction of a pixel: nothing.
    np.testing.assert_allclose(counts, 1e5, rtol=1e-4)
    assert (np.abs(truth.probe) ** 2).sum() == pytest.approx(1e5, rel=1e-4)
    absorbed = diffract(truth, truth.positions).sum(axis=(1, 2))
    assert ((absorbed < 1e5) & (absorbed > 0.83e5)).all()


def test_counts_are_poisson(simulated):
    expected = diffract(simulated.truth, simulated.truth.positions)
    bright = expected > 1
    residual = (simulated.scan.frames[bright] - expected[bright]) / np.sqrt(expected[bright])
    assert residual.mean() == pytest.approx(0, abs=4 / np.sqrt(residual.size))
    assert residual.var() == pytest.approx(1, abs=0.1)


def test_zero_frequency_is_at_the_centre(simulated):
    mean = simulated.scan.frames.mean(axis=0)
    rows, columns = np.indices(mean.shape)
    centre = np.array([(rows * mean).sum(), (columns * mean).sum()]) / mean.sum()
    np.testing.assert_allclose(centre, 32, atol=0.5)
    assert mean[32, 32] < 0.2 * mean.max()  # the shadow of the central stop


def test_optics_give_the_object_pixel(simulated):
    scan = simulated.scan
    assert scan.optics.energy_kev == pytest.approx(8.8)
    assert scan.optics.object_pixel(scan.frame_shape) == pytest.approx((10e-9, 10e-9))
    assert scan.unit == "m"
    assert scan.pixel_size == (10e-9, 10e-9)


def test_object_lies_where_positions_say():
    """One opaque pixel is dark to the beam centred on it, and seen at N // 2 of its patch."""
    truth = Simulation(points=(3, 3), seed=2).run().truth
    row, column = np.rint(truth.pixel_index(truth.positions[4:5])[0]).astype(int)
    dot = np.ones_like(truth.object)
    dot[row, column] = 0
    marked = replace(truth, object=dot)
    patch = cut_patches(marked, truth.positions, np.array([4]))
    assert patch.amplitude[0, 32, 32] == pytest.approx(0, abs=1e-3)
    lost = (truth.probe.real**2 + truth.probe.imag**2)[0, 32, 32]
    seen = diffract(marked, truth.positions).sum(axis=(1, 2))
    assert 1e6 - seen[4] == pytest.approx(lost, rel=0.01)
    assert seen.argmin() == 4


def test_patches_of_every_position_lie_on_the_object(simulated):
    scan, reconstruction = simulated.scan, simulated.reconstruction
    placed, positions = reconstruction.align_to(scan)
    patches = cut_patches(placed, positions, np.arange(len(scan)))
    assert np.isfinite(patches.phase).all()


@pytest.mark.parametrize("path", ["raster", "serpentine", "spiral"])
def test_paths(path):
    scan, _ = simulate_scan((9, 8), path=path)
    assert len(scan) == 72
    assert scan.step == pytest.approx(30e-9, rel=0.35)
    if path == "spiral":
        assert scan.line is None
        return
    np.testing.assert_array_equal(scan.line, np.repeat(np.arange(9), 8))
    whole = scan.positions / 10e-9
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-9)
    assert np.diff(scan.positions[:8, 1]).min() > 0
    going_back = scan.positions[8, 1] > scan.positions[15, 1]
    assert going_back == (path == "serpentine")


def test_jitter_moves_points_by_what_was_asked():
    regular, _ = simulate_scan((20, 20), photons=1e3)
    moved, _ = simulate_scan((20, 20), photons=1e3, jitter=5e-9)
    assert (moved.positions - regular.positions).std() == pytest.approx(5e-9, rel=0.1)


def test_same_seed_same_scan_and_other_seed_another():
    first, label = simulate_scan((4, 4), seed=7)
    again, label_again = simulate_scan((4, 4), seed=7)
    other, _ = simulate_scan((4, 4), seed=8)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(label.object, label_again.object)
    assert (first.frames != other.frames).any()


def test_more_photons_do_not_change_the_sample():
    few, many = (Simulation(points=(3, 3), photons=p).run() for p in (1e3, 1e7))
    np.testing.assert_array_equal(few.truth.object, many.truth.object)
    assert few.scan.frames.dtype == np.uint16
    assert many.scan.frames.dtype == np.uint32


def test_the_reconstruction_is_an_honest_imitation():
    simulated = Simulation(points=(24, 24)).run()
    degraded, truth = simulated.reconstruction, simulated.truth
    assert "not ePIE" in degraded.algorithm
    assert "simulated" in degraded.algorithm
    ratio = degraded.object / truth.object
    lit = np.s_[45:-45, 45:-45]
    free_phase = np.angle(ratio[lit].mean())
    error = np.angle(ratio[lit] * np.exp(-1j * free_phase))
    assert free_phase != pytest.approx(0, abs=0.05)
    assert 0.01 < error.std() < 0.1
    assert np.abs(np.abs(ratio[lit]) - 1).mean() < 0.05
    rim = np.abs(np.angle(ratio[:20] * np.exp(-1j * free_phase)))
    assert rim.mean() > 5 * np.abs(error).mean()
    np.testing.assert_array_equal(degraded.probe, truth.probe)


def test_a_defect_is_where_it_was_asked_for():
    plain = Simulation(points=(24, 24)).run().truth
    box = (120e-9, -90e-9, 200e-9, 160e-9)
    flawed = Simulation(points=(24, 24), defect=box).run().truth
    changed = np.argwhere(plain.object != flawed.object) * 10e-9 + np.array(plain.origin)
    np.testing.assert_allclose(changed.min(axis=0), [20e-9, -170e-9], atol=11e-9)
    np.testing.assert_allclose(changed.max(axis=0), [220e-9, -10e-9], atol=11e-9)


@pytest.mark.parametrize(
    "wrong", [{"frame_size": 63}, {"points": (0, 4)}, {"photons": 0.0}, {"jitter": -1e-9}]
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(InputError):
        Simulation(**wrong)


def test_a_defect_off_the_sample_is_refused():
    with pytest.raises(InputError, match="not on the simulated sample"):
        simulate_scan((4, 4), defect=(1e-3, 0.0, 1e-7, 1e-7))


def test_nothing_can_be_diffracted_without_a_probe(simulated):
    with pytest.raises(InputError, match="no probe"):
        diffract(replace(simulated.truth, probe=None), simulated.scan.positions)


def test_positions_off_the_object_are_refused(simulated):
    with pytest.raises(InputError, match="not on the object"):
        diffract(simulated.truth, np.array([[1.0, 1.0]]))
