"""Tasks of the import dialog: inspect a file, preview a mapping of its datasets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from napari_ptychonn.tasks.events import Activity, Event, ShouldStop, never

if TYPE_CHECKING:
    from napari_ptychonn.io.containers.entry import Entry
    from napari_ptychonn.io.layouts.layout import Layout
    from napari_ptychonn.io.mapping.inspect import Inspection
    from napari_ptychonn.io.mapping.mapping import DatasetMapping
    from napari_ptychonn.io.mapping.preview import MappingPreview


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspected(Event):
    """The datasets of a file, with the likeliest mapping."""

    inspection: Inspection


@dataclass(frozen=True, kw_only=True, eq=False)
class Expanded(Event):
    """The entries directly below a group or dataset."""

    path: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionsFound(Event):
    """Positions in another file: 'FILE', or 'FILE::DATASET' for each dataset that fits."""

    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Previewed(Event):
    """The mean frame and the positions that a mapping gives."""

    preview: MappingPreview


@dataclass(frozen=True, kw_only=True)
class InspectTask:
    """List the datasets of a file; `layout` is how it was read before, if chosen by hand."""

    activity: ClassVar[Activity] = "opening"

    file: Path
    layout: Layout | None = None

    def run(self, should_stop: ShouldStop = never) -> Iterator[Inspected]:
        """Inspect; a few seconds at most, even for a file of thousands of datasets."""
        from napari_ptychonn.io.mapping.inspect import inspect_file

        del should_stop
        yield Inspected(inspection=inspect_file(self.file, self.layout))


@dataclass(frozen=True, kw_only=True)
class ExpandTask:
    """List the entries directly below a group or dataset."""

    activity: ClassVar[Activity] = "opening"

    file: Path
    path: str

    def run(self, should_stop: ShouldStop = never) -> Iterator[Expanded]:
        """List one level."""
        from napari_ptychonn.io.mapping.inspect import list_children

        del should_stop
        yield Expanded(path=self.path, entries=tuple(list_children(self.file, self.path)))


@dataclass(frozen=True, kw_only=True)
class FindPositionsTask:
    """Find positions for `lead` frames, (n,) or (ny, nx), in another file."""

    activity: ClassVar[Activity] = "opening"

    file: Path
    lead: tuple[int, ...]

    def run(self, should_stop: ShouldStop = never) -> Iterator[PositionsFound]:
        """Search the file."""
        from napari_ptychonn.io.readers.positions_source import list_positions_sources

        del should_stop
        yield PositionsFound(sources=list_positions_sources(self.file, self.lead))


@dataclass(frozen=True, kw_only=True, eq=False)
class PreviewTask:
    """Preview a mapping; `positions` names another file that the positions come from."""

    activity: ClassVar[Activity] = "opening"

    file: Path
    mapping: DatasetMapping
    positions: str | None = None

    def run(self, should_stop: ShouldStop = never) -> Iterator[Previewed]:
        """Read as much as the preview shows."""
        from napari_ptychonn.io.mapping.preview import preview_mapping

        # The user is choosing the datasets: a note that they were chosen by hand is redundant.
        layout = replace(self.mapping.layout(), notes=())
        yield Previewed(
            preview=preview_mapping(self.file, layout, should_stop, positions=self.positions)
        )
