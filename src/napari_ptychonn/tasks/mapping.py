"""What runs while somebody chooses which dataset of a file is what: generators, as in `jobs.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_ptychonn.tasks.jobs import Opened, ShouldStop, open_scan

if TYPE_CHECKING:
    from napari_ptychonn.io.containers.entry import Entry
    from napari_ptychonn.io.layouts.layout import Layout
    from napari_ptychonn.io.mapping.inspect import Inspection
    from napari_ptychonn.io.mapping.mapping import DatasetMapping
    from napari_ptychonn.io.mapping.preview import MappingPreview


@dataclass(frozen=True, kw_only=True)
class Below:
    """What is directly below a group or dataset."""

    path: str
    branches: tuple[Entry, ...]


def survey_job(file: Path, layout: Layout | None, should_stop: ShouldStop) -> Iterator[Inspection]:
    """Look through a file; `layout` is how it was read before, where that was chosen."""
    from napari_ptychonn.io.mapping.inspect import survey

    del should_stop  # a few seconds at most, even for a file of thousands of datasets
    yield survey(file, layout)


def below_job(file: Path, path: str, should_stop: ShouldStop) -> Iterator[Below]:
    """List what is directly below a group or dataset."""
    from napari_ptychonn.io.mapping.inspect import look_below

    del should_stop
    yield Below(path=path, branches=tuple(look_below(file, path)))


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """What may be taken as positions from another file: 'FILE', or 'FILE::DATASET' of each."""

    places: tuple[str, ...]


def places_job(file: Path, lead: tuple[int, ...], should_stop: ShouldStop) -> Iterator[Elsewhere]:
    """Look for the positions of so many frames in another file."""
    from napari_ptychonn.io.readers.positions_source import named_places

    del should_stop
    yield Elsewhere(places=named_places(file, lead))


def glimpse_job(
    file: Path, choice: DatasetMapping, places: str | None, should_stop: ShouldStop
) -> Iterator[MappingPreview]:
    """Show what a choice comes to, with the positions of another file where `places` names one."""
    from napari_ptychonn.io.mapping.preview import glimpse

    # That datasets were chosen by hand is no news to the one who chooses.
    yield glimpse(file, replace(choice.layout(), notes=()), should_stop, positions=places)


def open_job(
    file: Path, layout: Layout, remember: bool, places: str | None, should_stop: ShouldStop
) -> Iterator[Opened]:
    """Open a file as chosen, and keep the layout once that has worked."""
    from napari_ptychonn.io.layouts.user import save_layout

    del should_stop
    opened = open_scan(file, layout, places)
    if remember:
        save_layout(layout)
    yield opened
