"""Events that studies yield, and the task that runs one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from napari_ptychonn.studies.stage import Stage, Study
from napari_ptychonn.tasks.events import Activity, Event, ShouldStop, never


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyProgressed(Event):
    """A step of the point that is being computed."""

    stage: Stage


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

    study: Callable[..., Iterator[Stage | Study]]

    def run(self, should_stop: ShouldStop = never) -> Iterator[StudyProgressed | StudyUpdated]:
        """Run it; the points that are finished stay when it is stopped."""
        for step in self.study(should_stop=should_stop):
            if isinstance(step, Stage):
                yield StudyProgressed(stage=step)
            else:
                yield StudyUpdated(study=step)
