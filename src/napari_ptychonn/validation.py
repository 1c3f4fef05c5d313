"""Check frozen options against the types, words and ranges of their own annotations."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from napari_ptychonn.errors import InputError

POSITIVE = 1e-30
"""'min' of lengths and counts that must not be 0."""


def check_options(options: Any) -> None:
    """Refuse unknown words, wrong types and numbers out of range.

    Forms in the dock, the command line, model files and Python all build the
    same dataclasses, whose ``__post_init__`` calls this: one check for all.

    Parameters
    ----------
    options : dataclass
        Fields annotated with ``Literal``, ``bool``, ``int``, ``float``, a tuple of one of
        these, or one of them or None.  Ranges are the 'min' and 'max' of an ``Annotated``
        dict, which magicgui reads too.  Fields of other types are not checked.

    Raises
    ------
    InputError
        Naming the class, the field, what is allowed and the value.
    """
    for name, rule in _rules(options.__class__).items():
        value = getattr(options, name)
        if not rule.accepts(value):
            raise InputError(
                f"{type(options).__name__}.{name} must be {rule}, got {value!r}.",
                expected=str(rule),
                got=value,
            )


@dataclass(frozen=True)
class _Rule:
    """What a field may hold: `count` values of a tuple, or one where it is 0."""

    kind: Any
    limits: dict[str, float]
    count: int
    optional: bool

    def accepts(self, value: Any) -> bool:
        if value is None:
            return self.optional
        if not self.count:
            return self._accepts_one(value)
        return (
            isinstance(value, tuple | list)
            and len(value) == self.count
            and all(map(self._accepts_one, value))
        )

    def _accepts_one(self, value: Any) -> bool:
        if get_origin(self.kind) is Literal:
            return isinstance(value, str) and value in get_args(self.kind)
        if self.kind is bool:
            return isinstance(value, bool)
        kind = Integral if self.kind is int else Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        low, high = self.limits.get("min", -math.inf), self.limits.get("max", math.inf)
        # A large integer is not turned into a float, which would overflow.
        number: Any = value if self.kind is int else float(value)
        return bool(low <= number <= high and abs(number) != math.inf)

    def __str__(self) -> str:
        """Describe what is allowed."""
        allowed = self._one()
        if self.count:
            allowed = f"{self.count} values, each {allowed}"
        return f"{allowed}, or None" if self.optional else allowed

    def _one(self) -> str:
        if get_origin(self.kind) is Literal:
            return "one of " + ", ".join(map(repr, get_args(self.kind)))
        if self.kind is bool:
            return "True or False"
        noun = "a whole number" if self.kind is int else "a number"
        low, high = self.limits.get("min"), self.limits.get("max")
        if low == POSITIVE and high is None:
            return f"{noun} above 0"
        if low is not None and high is not None:
            return f"{noun} from {low} to {high}"
        if low is not None:
            return f"{noun} of at least {low}"
        return noun if high is None else f"{noun} of at most {high}"


@cache
def _rules(cls: Any) -> dict[str, _Rule]:
    hints = get_type_hints(cls, include_extras=True)
    found = ((field.name, _rule(hints[field.name])) for field in fields(cls))
    return {name: rule for name, rule in found if rule is not None}


def _rule(hint: Any) -> _Rule | None:
    limits, count = {}, 0
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        limits = next((m for m in rest if isinstance(m, dict)), {})
    optional = NoneType in get_args(hint)
    if optional:
        hint, *others = (part for part in get_args(hint) if part is not NoneType)
        if others:
            return None
    if get_origin(hint) is tuple:
        count = len(get_args(hint))
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal or hint in (bool, int, float):
        return _Rule(hint, limits, count, optional)
    return None
