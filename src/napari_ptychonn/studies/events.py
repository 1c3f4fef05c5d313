"""Events that studies yield, and the task that runs one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from napari_ptychonn.studies.study import Progress, Study
from napari_ptychonn.tasks.events import Activity, Event, ShouldStop, never


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyProgressed(Event):
    """Progress of the point that is being computed."""

    progress: Progress


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyUpdated(Event):
    """The study with one more finished point."""

    study: Study


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyTask:
    """Run one of the studies.

    Attributes
    ----------
    study : callable
        `sparse_study`, `size_study` or `warm_start_study` with all arguments but
        `should_stop`, which it takes by keyword.
    """

    activity: ClassVar[Activity] = "studying"

    study: Callable[..., Iterator[Progress | Study]]

    def run(self, should_stop: ShouldStop = never) -> Iterator[StudyProgressed | StudyUpdated]:
        """Run it; the points that are finished stay when it is stopped."""
        for step in self.study(should_stop=should_stop):
            if isinstance(step, Progress):
                yield StudyProgressed(progress=step)
            else:
                yield StudyUpdated(study=step)
