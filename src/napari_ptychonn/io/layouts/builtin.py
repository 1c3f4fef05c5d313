"""The layouts that come with this package: one TOML file each in `definitions`.

Adding a layout is adding a file; users' own layouts have the same format
(docs/file-formats.md).  The layouts are tried in the order of their
`priority`, highest first, so the most specific have the highest.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from napari_ptychonn.io.layouts.format import read_layout
from napari_ptychonn.io.layouts.layout import Layout

DEFINITIONS = Path(__file__).with_name("definitions")


@cache
def builtin_layouts() -> tuple[Layout, ...]:
    """Read the layouts of this package once, in the order in which they are tried."""
    found = [read_layout(file) for file in DEFINITIONS.glob("*.toml")]
    return tuple(sorted(found, key=lambda layout: (-layout.priority, layout.name)))


def builtin_layout(name: str) -> Layout:
    """Return the layout of this name; LookupError where there is none."""
    for layout in builtin_layouts():
        if layout.name == name:
            return layout
    raise LookupError(name)
