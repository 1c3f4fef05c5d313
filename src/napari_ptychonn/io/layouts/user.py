"""Layouts that a user has saved: one JSON file each, the fields of `Layout` by name.

::

    {"name": "Our endstation", "require": [["scan/frames"]],
     "frames": "scan/frames",
     "position_y": {"paths": ["scan/motor_y"], "scale": 1e-6},
     "position_x": {"paths": ["scan/motor_x"], "scale": 1e-6},
     "position_flip": "y",
     "energy": 8800, "distance": 1.92}

A number instead of a path is what no dataset has, in eV or m.
"""

from __future__ import annotations

import json
import logging
import math
import re
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.layout import NUMBERS, Field, Layout

logger = logging.getLogger(__name__)

_LARGEST = 2**20


def layouts_folder() -> Path:
    """Return the folder that saved layouts are in; it need not exist."""
    from platformdirs import user_config_path

    return user_config_path("napari-ptychonn", appauthor=False) / "layouts"


@cache
def user_layouts() -> tuple[Layout, ...]:
    """Read what the user has saved, by name of the file; what is broken is left out and logged."""
    found = []
    for file in sorted(layouts_folder().glob("*.json")):
        try:
            found.append(read_layout(file))
        except InputError as error:
            logger.warning("%s", error)
    return tuple(found)


def save_layout(layout: Layout) -> Path:
    """Keep a layout for the next time; one of the same name is replaced.

    Raises
    ------
    InputError
        When it has no name, or cannot be written.
    """
    name = re.sub(r"[^\w.-]+", "_", layout.name).strip("._")
    if not name:
        raise InputError("a layout to be saved needs a name.")
    folder = layouts_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}.") from error
    path = folder / f"{name}.json"
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(as_json(layout), indent=2), encoding="utf-8")
    user_layouts.cache_clear()
    return path


def as_json(layout: Layout) -> dict[str, Any]:
    """Return what differs from an empty row, in plain JSON values."""
    empty = Layout(name="", require=())
    values = {f.name: getattr(layout, f.name) for f in fields(layout)}
    return {
        name: _place_as_json(value) if isinstance(value, Field) else value
        for name, value in values.items()
        if value != getattr(empty, name) or name == "require"
    }


def _place_as_json(where: Field) -> Any:
    """Write one place in a file as a person would: only what is not understood by itself."""
    if where.constant is not None:
        return where.constant
    paths: Any = where.paths[0] if len(where.paths) == 1 else list(where.paths)
    plain = asdict(Field(paths=where.paths))
    changed = {name: value for name, value in asdict(where).items() if value != plain[name]}
    return {"paths": paths, **changed} if changed else paths


def read_layout(file: Path) -> Layout:
    """Read one layout.

    Raises
    ------
    InputError
        When the file is no JSON, or says something that a layout cannot say.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise InputError(f"{file} is too large to be a layout.")
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: expected a layout in JSON ({error}).") from error
    if not isinstance(told, dict):
        raise InputError(f"{file}: expected names and values in braces.")
    return from_json(told, str(file))


def from_json(told: dict[str, Any], what: str) -> Layout:
    """Make a row of plain JSON values; InputError names what a layout cannot say."""
    kinds = get_type_hints(Layout)
    if unknown := sorted(set(told) - set(kinds)):
        raise InputError(f"{what}: a layout has no {', '.join(unknown)}.")
    if missing := sorted({"name", "require"} - set(told)):
        raise InputError(f"{what}: a layout needs {' and '.join(missing)}.")
    values: dict[str, Any] = {
        name: _constant(value, f"{what}: {name}")
        if name in NUMBERS and _is_number(value)
        else _checked(value, kinds[name], f"{what}: {name}")
        for name, value in told.items()
    }
    return Layout(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _constant(value: float, what: str) -> Field:
    if not math.isfinite(value):
        raise InputError(f"{what}: expected a finite number, got {value}.")
    return Field(constant=float(value))


def _checked(value: Any, kind: Any, what: str) -> Any:
    """Bring one JSON value into the type of its field."""
    if kind is Field or Field in get_args(kind):
        if value is None and NoneType in get_args(kind):
            return None
        return _field(value, what)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{what}: expected a list, got {value!r}.")
        inner, *_ = get_args(kind)
        return tuple(_checked(item, inner, what) for item in value)
    allowed = get_args(kind)  # of a Literal
    if allowed and value not in allowed:
        raise InputError(f"{what}: expected one of {', '.join(map(repr, allowed))}, got {value!r}.")
    if not allowed and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)):
        raise InputError(f"{what}: expected {kind.__name__}, got {value!r}.")
    return value


def _field(value: Any, what: str) -> Field:
    told = value if isinstance(value, dict) else {"paths": value}
    paths = [told.get("paths")] if isinstance(told.get("paths"), str) else told.get("paths")
    if not isinstance(paths, list | tuple) or not all(isinstance(p, str) and p for p in paths):
        raise InputError(f"{what}: expected a path or a list of paths, got {value!r}.")
    scale, index = told.get("scale", 1.0), told.get("index")
    every, fixed = told.get("every", False), told.get("fixed", False)
    if not _is_number(scale) or not isinstance(index, int | None):
        raise InputError(f"{what}: expected a number as scale, and an index or nothing.")
    if not isinstance(every, bool) or not isinstance(fixed, bool):
        raise InputError(f"{what}: expected true or false as every and fixed.")
    known = {field.name for field in fields(Field)} - {"constant"}
    if unknown := sorted(set(told) - known):
        raise InputError(f"{what}: a place in a file has no {', '.join(unknown)}.")
    return Field(paths=tuple(paths), scale=float(scale), index=index, every=every, fixed=fixed)
