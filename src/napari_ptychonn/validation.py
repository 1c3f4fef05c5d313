"""Check frozen options against the types, words and ranges of their own annotations."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from napari_ptychonn.errors import InputError


def check_options(options: Any) -> None:
    """Refuse unknown words, wrong types and numbers out of range.

    Forms in the dock, the command line, model files and Python all build the
    same dataclasses, whose ``__post_init__`` calls this: one check for all.

    Parameters
    ----------
    options : dataclass
        Fields annotated with ``Literal``, ``bool``, ``int`` or ``float``; ranges
        are the 'min' and 'max' of an ``Annotated`` dict, which magicgui reads too.
        Fields of other types are not checked.

    Raises
    ------
    InputError
        Naming the class, the field, what is allowed and the value.
    """
    for name, (kind, limits) in _rules(options.__class__).items():
        value = getattr(options, name)
        allowed = _allowed(kind, limits)
        if not _fits(value, kind, limits):
            raise InputError(
                f"{type(options).__name__}.{name} must be {allowed}, got {value!r}.",
                expected=allowed,
                got=value,
            )


@cache
def _rules(cls: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    hints = get_type_hints(cls, include_extras=True)
    rules = {}
    for field in fields(cls):
        hint, limits = hints[field.name], {}
        if get_origin(hint) is Annotated:
            hint, *rest = get_args(hint)
            limits = next((m for m in rest if isinstance(m, dict)), {})
        if get_origin(hint) is Literal or hint in (bool, int, float):
            rules[field.name] = (hint, limits)
    return rules


def _fits(value: Any, kind: Any, limits: dict[str, Any]) -> bool:
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if kind is bool:
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real):
        return False
    low, high = limits.get("min", -math.inf), limits.get("max", math.inf)
    return math.isfinite(value) and bool(low <= value <= high)


def _allowed(kind: Any, limits: dict[str, Any]) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(word) for word in get_args(kind))
    if kind is bool:
        return "True or False"
    noun = "a whole number" if kind is int else "a number"
    low, high = limits.get("min"), limits.get("max")
    if low is not None and high is not None:
        return f"{noun} from {low} to {high}"
    if low is not None:
        return f"{noun} of at least {low}"
    return noun if high is None else f"{noun} of at most {high}"
