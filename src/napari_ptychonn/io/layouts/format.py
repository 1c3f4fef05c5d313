"""Layout files: the fields of `Layout` in TOML.

::

    name = "Our endstation"
    require = [["scan/frames"]]
    frames = "scan/frames"
    position_y = { paths = "scan/motor_y", scale = 1e-6 }
    position_x = { paths = "scan/motor_x", scale = 1e-6 }
    position_flip = "y"
    energy = 8800
    distance = 1.92

A number instead of a path is a value that no dataset has, in eV or m.
"""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import tomli_w

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.layout import NUMBERS, Field, Layout

_LARGEST = 2**20


def layout_to_values(layout: Layout) -> dict[str, Any]:
    """Return the fields that differ from their defaults, as plain TOML (or JSON) values."""
    default = Layout(name="", require=())
    values = {f.name: getattr(layout, f.name) for f in fields(layout)}
    return {
        name: _field_to_value(value) if isinstance(value, Field) else value
        for name, value in values.items()
        if value != getattr(default, name) or name == "require"
    }


def _field_to_value(where: Field) -> Any:
    """Abbreviate a `Field`: a number, a path, a list of paths, or a table."""
    if where.constant is not None:
        return where.constant
    paths: Any = where.paths[0] if len(where.paths) == 1 else list(where.paths)
    plain = asdict(Field(paths=where.paths))
    changed = {name: value for name, value in asdict(where).items() if value != plain[name]}
    return {"paths": paths, **changed} if changed else paths


def read_layout(file: Path) -> Layout:
    """Read a layout from a TOML file, or from JSON as release 0.1 wrote it.

    Raises
    ------
    InputError
        When the file is neither, or has a key or a value that a layout cannot have.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise InputError(f"{file} is too large to be a layout.", file=file)
        text = file.read_text(encoding="utf-8")
        values = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{file}: expected a layout in {file.suffix[1:].upper()} ({error}).", file=file
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"{file}: expected names and values in braces.", file=file)
    return layout_from_values(values, str(file))


def write_layout(file: Path, layout: Layout) -> None:
    """Write a layout as TOML.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    with replacing(file) as temporary:
        temporary.write_text(tomli_w.dumps(layout_to_values(layout)), encoding="utf-8")


def layout_schema() -> dict[str, Any]:
    """Return the JSON schema of a layout file, for editors that complete and check TOML."""
    field = {
        "description": "A path, alternative paths, or a table with paths, scale, index, …",
        "anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}},
            {
                "type": "object",
                "properties": {
                    "paths": {"type": ["string", "array"], "items": {"type": "string"}},
                    "scale": {"type": "number"},
                    "index": {"type": "integer"},
                    "every": {"type": "boolean"},
                    "fixed": {"type": "boolean"},
                },
                "required": ["paths"],
                "additionalProperties": False,
            },
        ],
    }
    number = {**field, "anyOf": [*field["anyOf"], {"type": "number"}]}
    kinds = _field_types()
    properties = {
        name: (number if name in NUMBERS else field) if _is_field(kind) else _schema_of(kind)
        for name, kind in kinds.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "File layout of napari-ptychonn",
        "type": "object",
        "properties": properties,
        "required": ["name", "require"],
        "additionalProperties": False,
    }


@cache
def _field_types() -> dict[str, Any]:
    return get_type_hints(Layout)


def _schema_of(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _schema_of(get_args(kind)[0])}
    if allowed := get_args(kind):
        return {"enum": list(allowed)}
    return {"type": {str: "string", bool: "boolean", int: "integer"}[kind]}


def _is_field(kind: Any) -> bool:
    return kind is Field or Field in get_args(kind)


def layout_from_values(values: dict[str, Any], what: str) -> Layout:
    """Make a layout of plain values; `what` names their file in an InputError."""
    kinds = _field_types()
    if unknown := sorted(set(values) - set(kinds)):
        raise InputError(f"{what}: a layout has no {', '.join(unknown)}.", dataset=unknown[0])
    if missing := sorted({"name", "require"} - set(values)):
        raise InputError(f"{what}: a layout needs {' and '.join(missing)}.")
    checked: dict[str, Any] = {
        name: _constant(value, f"{what}: {name}")
        if name in NUMBERS and _is_number(value)
        else _checked(value, kinds[name], f"{what}: {name}")
        for name, value in values.items()
    }
    return Layout(**checked)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _constant(value: float, what: str) -> Field:
    if not math.isfinite(value):
        raise InputError(f"{what}: expected a finite number, got {value}.")
    return Field(constant=float(value))


def _checked(value: Any, kind: Any, what: str) -> Any:
    """Convert one value to the type of its field."""
    if _is_field(kind):
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
    values = value if isinstance(value, dict) else {"paths": value}
    paths = [values.get("paths")] if isinstance(values.get("paths"), str) else values.get("paths")
    if not isinstance(paths, list | tuple) or not all(isinstance(p, str) and p for p in paths):
        raise InputError(f"{what}: expected a path or a list of paths, got {value!r}.")
    scale, index = values.get("scale", 1.0), values.get("index")
    every, fixed = values.get("every", False), values.get("fixed", False)
    if not _is_number(scale) or not isinstance(index, int | None):
        raise InputError(f"{what}: expected a number as scale, and an index or nothing.")
    if not isinstance(every, bool) or not isinstance(fixed, bool):
        raise InputError(f"{what}: expected true or false as every and fixed.")
    known = {field.name for field in fields(Field)} - {"constant"}
    if unknown := sorted(set(values) - known):
        raise InputError(f"{what}: a place in a file has no {', '.join(unknown)}.")
    return Field(paths=tuple(paths), scale=float(scale), index=index, every=every, fixed=fixed)
