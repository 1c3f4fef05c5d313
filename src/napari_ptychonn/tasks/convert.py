"""Convert files to the formats of other programs."""

from __future__ import annotations

from pathlib import Path

from napari_ptychonn.errors import InputError

WEIGHTS = (".pth", ".pt")


def convert(
    source: str,
    target: Path,
    *,
    scan: str | None = None,
    positions: str | None = None,
    crop: int | None = None,
) -> list[Path]:
    """Convert a reconstruction, a result, a model or published weights.

    Parameters
    ----------
    source : str
        A reconstruction or result ('FILE' or 'FILE::/group'), a model, or
        published PyTorch weights.
    target : Path
        A reconstruction or result is written in the format of the extension (see
        `write_result`), or, with `scan`, as ptychodus training data; a model as
        ONNX; published weights as a model.
    scan : str, optional
        The frames that go with a reconstruction or with published weights.
    positions : str, optional
        With `scan`: see `read_scan`.
    crop : int, optional
        See `read_published`.

    Returns
    -------
    list of Path
        Files written.

    Raises
    ------
    InputError
        If there is no conversion from `source` to `target`.
    """
    if positions is not None and scan is None:
        raise InputError(
            f"{positions}: positions belong to the frames of a scan; give the scan, too."
        )
    if Path(source).suffix.lower() in WEIGHTS:
        return [_import_weights(source, target, scan, positions, crop)]
    from napari_ptychonn.io import describe

    kind = describe(source).kind
    if kind == "model":
        return [_export_model(source, target)]
    if scan is not None:
        return [_write_training_data(source, target, scan, positions)]
    from napari_ptychonn.io import (
        read_reconstruction,
        read_result,
        write_reconstruction,
        write_result,
    )

    if kind == "result":
        return write_result(target, read_result(source))
    return write_reconstruction(target, read_reconstruction(source))


def _import_weights(
    source: str, target: Path, scan: str | None, positions: str | None, crop: int | None
) -> Path:
    if scan is None:
        raise InputError(
            f"{source}: the weights do not record which frames they were trained on; give the scan "
            "that they are meant for."
        )
    from napari_ptychonn.io import read_scan
    from napari_ptychonn.network.interop.published_weights import read_published

    read_published(source, read_scan(scan, positions=positions), crop=crop).save(target)
    return target


def _export_model(source: str, target: Path) -> Path:
    if target.suffix.lower() != ".onnx":
        raise InputError(f"{target}: a model is written as ONNX; expected the extension .onnx.")
    from napari_ptychonn.network.interop.onnx_export import write_onnx
    from napari_ptychonn.network.model import TrainedModel

    write_onnx(target, TrainedModel.load(source))
    return target


def _write_training_data(source: str, target: Path, scan: str, positions: str | None) -> Path:
    from napari_ptychonn.io import read_scan, write_training_data
    from napari_ptychonn.io.opened_file import read_reconstruction_for

    made = read_reconstruction_for(scan, source, positions=positions)
    return write_training_data(target, read_scan(scan, positions=positions), made)
