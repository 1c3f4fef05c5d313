"""Options refuse what is not in their annotations, whoever builds them."""

from dataclasses import fields, replace
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.data.region import Split
from napari_ptychonn.data.scan import Optics
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.pretraining import Pretraining
from napari_ptychonn.optics.probe import ZonePlate
from napari_ptychonn.reconstruction.options import EngineOptions
from napari_ptychonn.simulation.scan import Simulation

CLASSES = (
    NetworkOptions,
    TrainingOptions,
    EngineOptions,
    Pretraining,
    Split,
    Simulation,
    ZonePlate,
)


def described(cls):
    """(name, kind, limits) of every field that has a range or a list of words."""
    hints = get_type_hints(cls, include_extras=True)
    for field in fields(cls):
        hint, limits = hints[field.name], {}
        if get_origin(hint) is Annotated:
            hint, limits = get_args(hint)[:2]
        if get_origin(hint) is Literal or hint in (bool, int, float):
            yield field.name, hint, limits


FIELDS = [(cls, *row) for cls in CLASSES for row in described(cls)]
WORDS = [row for row in FIELDS if get_origin(row[2]) is Literal]
NUMBERS = [row for row in FIELDS if row[2] in (int, float)]


def named(row):
    return f"{row[0].__name__}.{row[1]}"


@pytest.mark.parametrize("row", WORDS, ids=named)
@given(word=st.text(max_size=12))
def test_a_word_is_accepted_exactly_when_it_is_listed(row, word):
    cls, name, kind, _ = row
    if word in get_args(kind):
        assert getattr(replace(cls(), **{name: word}), name) == word
        return
    with pytest.raises(InputError) as error:
        replace(cls(), **{name: word})
    assert name in str(error.value)
    assert error.value.got == word


@pytest.mark.parametrize("row", WORDS, ids=named)
def test_every_listed_word_is_accepted(row):
    cls, name, kind, _ = row
    for word in get_args(kind):
        assert getattr(replace(cls(), **{name: word}), name) == word


@pytest.mark.parametrize("row", NUMBERS, ids=named)
@given(draw=st.data())
def test_a_number_outside_its_range_is_refused(row, draw):
    cls, name, kind, limits = row
    outside = [float("nan"), float("inf"), "3", None, True]
    if "min" in limits:
        outside.append(limits["min"] - 1)
    if "max" in limits:
        outside.append(limits["max"] + 1)
    if kind is int:
        outside.append(cls().__getattribute__(name) + 0.5)
    value = draw.draw(st.sampled_from(outside))
    with pytest.raises(InputError) as error:
        replace(cls(), **{name: value})
    assert name in str(error.value)


@pytest.mark.parametrize("row", NUMBERS, ids=named)
def test_the_ends_of_a_range_belong_to_it(row):
    cls, name, _, limits = row
    for end in ("min", "max"):
        if end in limits:
            assert getattr(replace(cls(), **{name: limits[end]}), name) == limits[end]


def test_flags_are_no_numbers():
    with pytest.raises(InputError):
        EngineOptions(position_correction=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"wavelength": 0.0},
        {"wavelength": float("nan")},
        {"detector_distance": -1.0},
        {"detector_pitch": (55e-6,)},
        {"detector_pitch": (55e-6, float("inf"))},
        {"detector_pitch": 55e-6},
    ],
)
def test_optics_are_positive_or_unknown(wrong):
    with pytest.raises(InputError) as error:
        Optics(**wrong)
    ((name, value),) = wrong.items()
    assert name in str(error.value)
    assert error.value.got is value


@pytest.mark.parametrize(
    "wrong", [{"points": (0, 4)}, {"points": (4,)}, {"points": (4, 4.5)}, {"pattern": "wood"}]
)
def test_a_simulation_needs_points_and_a_known_pattern(wrong):
    with pytest.raises(InputError) as error:
        Simulation(**wrong)
    assert error.value.got == next(iter(wrong.values()))


@given(draw=st.data())
@pytest.mark.parametrize("row", NUMBERS, ids=named)
def test_a_number_within_its_range_is_accepted(row, draw):
    cls, name, kind, limits = row
    low, high = limits.get("min"), limits.get("max")
    numbers = st.integers if kind is int else st.floats
    more = {} if kind is int else {"allow_nan": False, "allow_infinity": False}
    value = draw.draw(numbers(low, high, **more))
    if name in ("size", "frame_size"):  # multiples only
        value = value // 8 * 8
    assert getattr(replace(cls(), **{name: value}), name) == value
