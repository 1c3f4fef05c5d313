"""Transmissions of simulated samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import isotropic_closing, isotropic_opening

from napari_ptychonn.errors import InputError

Coordinates = NDArray[np.float64]
Mask = NDArray[np.bool_]

TUNGSTEN_DELTA = 3.70e-5
"""Refractive index decrement of tungsten at 8.8 keV: r_e λ² n f₁ / 2π, with f₁ = 66."""

TUNGSTEN_BETA = 2.90e-6
"""Absorption index of tungsten at 8.8 keV: μ λ / 4π, with μ/ρ = 134 cm²/g."""

TUNGSTEN_THICKNESS = 600e-9
"""Height of the tungsten that was not etched, m: −0.99 rad, amplitude 0.93."""

SMALLEST_FEATURE = 50e-9
"""Narrowest line and narrowest gap of the etched pattern, m."""

# Finer drawing grid, so that edges fall between object pixels as in a real sample.
_OVERSAMPLING = 2
_STAMP_SPACING = 340e-9
_GLYPHS = {
    "L": "X.. X.. X.. X.. XXX",
    "T": "XXX .X. .X. .X. .X.",
    "E": "XXX X.. XXX X.. XXX",
    "F": "XXX X.. XXX X.. X..",
    "H": "X.X X.X XXX X.X X.X",
    "U": "X.X X.X X.X X.X XXX",
}


def tungsten(thickness: NDArray[Any], wavelength: float) -> NDArray[np.complex128]:
    """Transmit a plane wave through tungsten.

    Parameters
    ----------
    thickness : ndarray
        (ny, nx), m.
    wavelength : float
        m; the optical constants are those of 8.8 keV.
    """
    wave_number = 2 * np.pi / wavelength
    exponent = -wave_number * (TUNGSTEN_BETA + 1j * TUNGSTEN_DELTA) * thickness
    return np.asarray(np.exp(exponent), dtype=np.complex128)


def etched_tungsten(
    shape: tuple[int, int], pixel_size: float, wavelength: float, rng: np.random.Generator
) -> NDArray[np.complex128]:
    """Draw the etched tungsten test pattern: spokes, lines, dots, letters, polygons, random etch.

    Every part of the field is different; lines and gaps are 50 to 500 nm wide.

    Parameters
    ----------
    shape : tuple of int
        Object pixels (ny, nx).
    pixel_size : float
        m.
    wavelength : float
        m.
    rng : numpy.random.Generator
        Decides what is drawn where.

    Returns
    -------
    ndarray of complex128
        (ny, nx) transmission; phase 0 in the open, about −1 rad in full tungsten.
    """
    fine = pixel_size / _OVERSAMPLING
    grid = (shape[0] * _OVERSAMPLING, shape[1] * _OVERSAMPLING)
    standing = _random_etch(grid, fine, rng)
    height = np.full(grid, rng.uniform(0.7, 1.0))
    for centre in _stamp_centres(grid, fine, rng):
        _stamp(standing, height, centre, fine, rng)
    radius = SMALLEST_FEATURE / 2 / fine
    standing = isotropic_closing(isotropic_opening(standing, radius), radius)
    sidewall = ndimage.gaussian_filter(standing.astype(np.float64), 6e-9 / fine)
    # Etching never leaves a perfectly even height.
    uneven = 1 + 0.03 * _smooth_field(grid, 400e-9 / fine, rng)
    height = ndimage.gaussian_filter(height, 10e-9 / fine) * uneven
    return _averaged(tungsten(TUNGSTEN_THICKNESS * sidewall * height, wavelength))


def natural_field(
    shape: tuple[int, int], pixel_size: float, wavelength: float, rng: np.random.Generator
) -> NDArray[np.complex128]:
    """Draw a smooth random sample with the 1/f amplitude spectrum of natural images.

    Phase (−1.2 to 0 rad) and amplitude (0.8 to 1) are independent and without edges,
    unlike the etched pattern.  Parameters as for `etched_tungsten`.
    """
    del wavelength
    phase = -1.2 * _unit_range(_spectral_field(shape, pixel_size, rng))
    amplitude = 1 - 0.2 * _unit_range(_spectral_field(shape, pixel_size, rng))
    return np.asarray(amplitude * np.exp(1j * phase), dtype=np.complex128)


def particles(
    shape: tuple[int, int], pixel_size: float, wavelength: float, rng: np.random.Generator
) -> NDArray[np.complex128]:
    """Draw overlapping spheres of tungsten, 100 to 500 nm across: rounded and of any thickness.

    Parameters as for `etched_tungsten`.
    """
    thickness = np.zeros(shape)
    rows, columns = np.indices(shape) * pixel_size
    area = shape[0] * shape[1] * pixel_size**2
    for _ in range(max(1, round(area / 200e-9**2))):
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        radius = rng.uniform(50e-9, 250e-9)
        distance2 = (rows - y * pixel_size) ** 2 + (columns - x * pixel_size) ** 2
        thickness += 2 * np.sqrt(np.clip(radius**2 - distance2, 0, None))
    return tungsten(np.minimum(thickness, 1.5e-6), wavelength)


PATTERNS: dict[
    str,
    Callable[[tuple[int, int], float, float, np.random.Generator], NDArray[np.complex128]],
] = {
    "etched tungsten": etched_tungsten,
    "natural field": natural_field,
    "particles": particles,
}
"""Functions that draw a sample, by name."""


def draw_pattern(
    name: str,
    shape: tuple[int, int],
    pixel_size: float,
    wavelength: float,
    rng: np.random.Generator,
) -> NDArray[np.complex128]:
    """Draw one of `PATTERNS` by name.

    Raises
    ------
    InputError
        If there is no pattern of that name.
    """
    require_pattern(name)
    return PATTERNS[name](shape, pixel_size, wavelength, rng)


def require_pattern(name: str) -> None:
    """Raise an `InputError` if there is no pattern of that name."""
    if name not in PATTERNS:
        allowed = ", ".join(PATTERNS)
        raise InputError(
            f"There is no pattern {name!r}; choose one of {allowed}.", expected=allowed, got=name
        )


def _spokes(v: Coordinates, u: Coordinates, rng: np.random.Generator) -> Mask:
    count = int(rng.integers(5, 11))
    angle, radius = np.arctan2(v, u), np.hypot(v, u)
    hub = count * SMALLEST_FEATURE / np.pi
    spokes = np.sin(count * angle + rng.uniform(0, 2 * np.pi)) > 0
    return np.where(radius < hub, bool(rng.integers(2)), spokes)


def _lines(v: Coordinates, u: Coordinates, rng: np.random.Generator) -> Mask:
    del v
    width = rng.uniform(SMALLEST_FEATURE, 130e-9)
    mask: Mask = np.floor((u + rng.uniform(0, width)) / width) % 2 == 0
    return mask


def _dots(v: Coordinates, u: Coordinates, rng: np.random.Generator) -> Mask:
    diameter = rng.uniform(1.2 * SMALLEST_FEATURE, 150e-9)
    period = diameter + rng.uniform(SMALLEST_FEATURE, 100e-9)
    row = np.floor(v / period)
    shifted = u + 0.5 * period * (row % 2)  # hexagonal
    dy, dx = v - (row + 0.5) * period, (shifted % period) - 0.5 * period
    mask: Mask = np.hypot(dy, dx) < diameter / 2
    return mask


def _letter(v: Coordinates, u: Coordinates, rng: np.random.Generator) -> Mask:
    bits = _GLYPHS[str(rng.choice(list(_GLYPHS)))].split()
    glyph = np.pad(np.array([[c == "X" for c in row] for row in bits]), 1)
    stroke = rng.uniform(SMALLEST_FEATURE, 90e-9)
    i = np.floor(v / stroke + glyph.shape[0] / 2).astype(int).clip(0, glyph.shape[0] - 1)
    j = np.floor(u / stroke + glyph.shape[1] / 2).astype(int).clip(0, glyph.shape[1] - 1)
    mask: Mask = glyph[i, j]
    return mask


def _polygon(v: Coordinates, u: Coordinates, rng: np.random.Generator) -> Mask:
    sides = int(rng.integers(3, 7))
    inside = np.ones(v.shape, bool)
    for k in range(sides):
        normal = 2 * np.pi * (k + rng.uniform(-0.25, 0.25)) / sides
        inside &= u * np.cos(normal) + v * np.sin(normal) < rng.uniform(60e-9, 230e-9)
    return inside


_STAMPS = (_spokes, _lines, _dots, _letter, _letter, _polygon, _polygon)


def _stamp_centres(
    grid: tuple[int, int], fine: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    spacing = _STAMP_SPACING / fine
    rows, columns = np.meshgrid(
        np.arange(0, grid[0] + spacing, spacing),
        np.arange(0, grid[1] + spacing, spacing),
        indexing="ij",
    )
    centres = np.stack([rows.ravel(), columns.ravel()], axis=1)
    centres += rng.uniform(-0.35, 0.35, centres.shape) * spacing
    return rng.permutation(centres)


def _stamp(
    standing: Mask,
    height: NDArray[np.float64],
    centre: NDArray[np.float64],
    fine: float,
    rng: np.random.Generator,
) -> None:
    """Draw one structure at a random angle."""
    footprint = rng.uniform(150e-9, 280e-9)
    reach = int(np.ceil(footprint / fine))
    row, column = np.rint(centre).astype(int)
    rows = slice(max(row - reach, 0), max(row + reach, 0))
    columns = slice(max(column - reach, 0), max(column + reach, 0))
    standing, height = standing[rows, columns], height[rows, columns]
    i, j = np.indices(standing.shape)
    y, x = (i + rows.start - row) * fine, (j + columns.start - column) * fine
    angle = rng.uniform(0, 2 * np.pi)
    v, u = np.cos(angle) * y + np.sin(angle) * x, -np.sin(angle) * y + np.cos(angle) * x
    draw = _STAMPS[int(rng.integers(len(_STAMPS)))]
    drawn = draw(v, u, rng) ^ bool(rng.integers(2))
    within = np.hypot(y, x) < footprint
    standing[within] = drawn[within]
    height[within] = rng.uniform(0.65, 1.0)


def _random_etch(grid: tuple[int, int], fine: float, rng: np.random.Generator) -> Mask:
    coarse = _smooth_field(grid, 60e-9 / fine, rng)
    finer = _smooth_field(grid, 30e-9 / fine, rng)
    mask: Mask = coarse + finer > 0
    return mask


def _smooth_field(
    shape: tuple[int, int], sigma: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Gaussian random field with a Gaussian correlation of `sigma` pixels; mean 0, std 1."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float64)


def _spectral_field(
    shape: tuple[int, int], pixel_size: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    ky, kx = np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]), indexing="ij")
    frequency = np.hypot(ky, kx) / pixel_size
    longest = 1 / 800e-9  # flat below: a field much larger than this still varies everywhere
    shortest = np.exp(-((frequency * 25e-9) ** 2))
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * shortest / np.hypot(frequency, longest)
    return np.asarray(np.fft.irfft2(spectrum, s=shape), dtype=np.float64)


def _unit_range(field: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.percentile(field, [1, 99])
    return np.asarray(np.clip((field - low) / (high - low), 0, 1), dtype=np.float64)


def _averaged(fine: NDArray[np.complex128]) -> NDArray[np.complex128]:
    ny, nx = (n // _OVERSAMPLING for n in fine.shape)
    blocks = fine.reshape(ny, _OVERSAMPLING, nx, _OVERSAMPLING)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.complex128)
