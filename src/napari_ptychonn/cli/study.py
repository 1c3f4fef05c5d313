"""``napari-ptychonn study``: the paper's experiments on any scan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_ptychonn.cli.console import (
    load_reconstruction,
    load_scan,
    print_json,
    print_status,
    progress_bars,
    progress_tracker,
    report_consistency,
    stop_requests,
)
from napari_ptychonn.cli.options import (
    Algorithm,
    AlgorithmOption,
    CorrectOption,
    DeviceOption,
    FirstProbe,
    FirstProbeOption,
    IterationsOption,
    JsonOption,
    LabelsOption,
    ModelOption,
    PositionsOption,
    Preset,
    PresetOption,
    RequiredFramesOption,
    ScanArgument,
    SeedOption,
    StepsOption,
    make_split,
    recipe,
    select_frames,
)
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.data.reconstruction import Reconstruction
    from napari_ptychonn.data.scan import Scan
    from napari_ptychonn.network.model import TrainedModel
    from napari_ptychonn.reconstruction import EngineOptions
    from napari_ptychonn.studies.study import Study

study = typer.Typer(
    name="study",
    help="The paper's experiments on a scan: a figure, a table and JSON in a folder.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


KEPT = "what is finished"


def parse_counts(text: str) -> tuple[int, ...]:
    """Parse '1,2,5'.

    Raises
    ------
    typer.BadParameter
        If these are not different whole numbers of 1 or more.
    """
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1 or len(set(counts)) < len(counts):
        raise typer.BadParameter(f"expected whole numbers such as 1,2,5, got {text!r}.")
    return counts


OutputOption = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="FOLDER", help="Folder for figure, table and JSON."),
]
ReferenceOption = Annotated[
    str | None,
    typer.Option(
        "--reference",
        metavar="OBJ",
        help="What errors are against: the truth, or a reconstruction of all frames; "
        "the scan's own if absent.",
    ),
]


@study.command()
def sparse(
    scan: ScanArgument,
    output: OutputOption,
    model: ModelOption,
    reference: ReferenceOption = None,
    every: Annotated[
        str, typer.Option(metavar="K,K,…", help="Steps, in units of the scan's own.")
    ] = "1,2,3,4,5",
    iterations: IterationsOption = 100,
    algorithm: AlgorithmOption = Algorithm.EPIE,
    first_probe: FirstProbeOption = FirstProbe.KNOWN,
    positions: PositionsOption = None,
    correct: CorrectOption = None,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Reconstruct and predict with larger and larger scan steps (Fig. 4 of the paper).

    Ctrl-C stops it and keeps the steps that are finished.
    """
    steps = parse_counts(every)
    from napari_ptychonn.studies import sparse_study

    measured, trained, against = _load_inputs(scan, model, reference, positions, correct)
    with stop_requests(KEPT) as stop:
        stages = sparse_study(
            measured,
            trained,
            against,
            every=steps,
            options=_engine(algorithm, iterations, first_probe, seed),
            device=device,
            should_stop=stop,
        )
        _follow_study(stages, output, "sparse", as_json)


@study.command()
def size(
    scan: ScanArgument,
    frames: RequiredFramesOption,
    output: OutputOption,
    reconstruction: LabelsOption = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="OBJ", help="Reconstruction that errors refer to; by default the labels."
        ),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="N,N,…", help="Training frames; by default 100, 200, 400, …."),
    ] = None,
    preset: PresetOption = Preset.DEFAULT,
    steps: StepsOption = None,
    positions: PositionsOption = None,
    correct: CorrectOption = None,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train on more and more frames, and predict the same held-out ones (Fig. 5 of the paper).

    Ctrl-C stops it and keeps the trainings that are finished.
    """
    counts = None if sizes is None else parse_counts(sizes)
    from napari_ptychonn.network.options import NetworkOptions
    from napari_ptychonn.studies import TrainingRecipe, size_study

    measured = load_scan(scan, positions=positions, correct=correct)
    labels = load_reconstruction(reconstruction or scan, scan=scan, positions=positions)
    options, network = recipe(preset, None, steps, seed, None)
    with stop_requests(KEPT) as stop:
        stages = size_study(
            measured,
            labels,
            select_frames(len(measured), frames, measured.name),
            sizes=counts,
            recipe=TrainingRecipe(
                training=options,
                network=network or NetworkOptions(),
                split=make_split(None, preset, seed),
            ),
            reference=None
            if reference is None
            else load_reconstruction(reference, scan=scan, positions=positions),
            device=device,
            should_stop=stop,
        )
        _follow_study(stages, output, "size", as_json)


@study.command()
def warm_start(
    scan: ScanArgument,
    output: OutputOption,
    model: ModelOption,
    reference: ReferenceOption = None,
    iterations: IterationsOption = 100,
    algorithm: AlgorithmOption = Algorithm.EPIE,
    first_probe: FirstProbeOption = FirstProbe.KNOWN,
    positions: PositionsOption = None,
    correct: CorrectOption = None,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Reconstruct from a flat object and from the PtychoNN mosaic.

    Ctrl-C stops it and keeps the runs that are finished.
    """
    from napari_ptychonn.studies import warm_start_study

    measured, trained, against = _load_inputs(scan, model, reference, positions, correct)
    with stop_requests(KEPT) as stop:
        stages = warm_start_study(
            measured,
            trained,
            against,
            options=_engine(algorithm, iterations, first_probe, seed),
            device=device,
            should_stop=stop,
        )
        _follow_study(stages, output, "warm-start", as_json)


def _load_inputs(
    scan: str, model: Path, reference: str | None, positions: str | None, correct: str | None
) -> tuple[Scan, TrainedModel, Reconstruction]:
    from napari_ptychonn.network.model import TrainedModel

    measured = load_scan(scan, positions=positions, correct=correct)
    against = load_reconstruction(reference or scan, scan=scan, positions=positions)
    report_consistency(measured, against)
    return measured, TrainedModel.load(model), against


def _engine(
    algorithm: Algorithm, iterations: int, first_probe: FirstProbe, seed: int
) -> EngineOptions:
    from napari_ptychonn.reconstruction import EngineOptions

    return EngineOptions(
        algorithm=algorithm.value,
        iterations=iterations,
        first_probe=first_probe.value,
        seed=seed,
    )


def _follow_study(stages: Iterator[Any], folder: Path, name: str, as_json: bool) -> None:
    """Show progress, and write the files after every point, so that no finished point is lost."""
    from napari_ptychonn.studies.export import study_values, write_study_files
    from napari_ptychonn.studies.study import Progress

    study: Study | None = None
    files: tuple[Path, ...] = ()
    with progress_bars() as progress:
        track = progress_tracker(progress)
        for step in stages:
            if isinstance(step, Progress):
                track(step.step, step.done, step.total)
            else:
                study, files = step, write_study_files(folder, name, step)
                print_status(step.sentence)
    if study is None:
        raise InputError("the study was stopped before its first point was finished.")
    if as_json:
        print_json(study_values(study))
    else:
        for file in files:
            print(file)
