"""Layouts that a user has saved, in the format of the built-in ones."""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path

from napari_ptychonn.errors import InputError
from napari_ptychonn.io.layouts.format import read_layout, write_layout
from napari_ptychonn.io.layouts.layout import Layout

logger = logging.getLogger(__name__)


def layouts_folder() -> Path:
    """Return the folder of saved layouts; it need not exist."""
    from platformdirs import user_config_path

    return user_config_path("napari-ptychonn", appauthor=False) / "layouts"


@cache
def user_layouts() -> tuple[Layout, ...]:
    """Read the saved layouts, by name of the file; broken ones are left out and logged."""
    found = []
    files = [file for file in layouts_folder().glob("*") if file.suffix in (".toml", ".json")]
    for file in sorted(files):
        try:
            found.append(read_layout(file))
        except InputError as error:
            logger.warning("%s", error)
    return tuple(found)


def save_layout(layout: Layout) -> Path:
    """Save a layout; it replaces one of the same name.

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
        raise InputError(f"{folder} cannot be made: {error.strerror}.", file=folder) from error
    path = folder / f"{name}.toml"
    write_layout(path, layout)
    path.with_name(f"{name}.json").unlink(missing_ok=True)  # as release 0.1 saved it
    user_layouts.cache_clear()
    return path
