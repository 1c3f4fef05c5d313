"""The one table of file layouts: where each program keeps frames, positions, probe and object.

Adding a layout is adding a row.  The first row whose `require` is met is
used, so the most specific come first; what a user saved (`user_layouts.py`)
comes before all of them.  What a row can say is in `layout.py`.
"""

from __future__ import annotations

from napari_ptychonn.data.scan import ELECTRONVOLT
from napari_ptychonn.io.layouts.layout import Field, Layout, at

__all__ = ["CXI", "LAYOUTS", "PRODUCT", "TRAINING_DATA", "Field", "Layout", "at"]

MILLI, MICRO, NANO = 1e-3, 1e-6, 1e-9
KILO = 1e3

_DETECTOR = "instrument_1/detector_1"
_SOURCE = "instrument_1/source_1"
_BEAM = "instrument_1/beam_1"
_PTYCHODUS = "ptychodus"
_EIGER = "entry/instrument/detector"
_ATTRIBUTES = "entry/instrument/NDAttributes"
_BLUESKY = "entry/instrument/bluesky/streams"

_STAGE_SIGN = (
    "Positions are taken as {what} writes them; whether they move with the sample or with the beam "
    "is not in the file, so they may be mirrored."
)

CXI = Layout(
    name="CXI",
    require=(
        ("data_1/data", f"{_DETECTOR}/data", "image_2/data"),
        ("data_1", "instrument_1", "sample_1"),
    ),
    frames=at("data_1/data", f"{_DETECTOR}/data"),
    # ptychodus' habit: sample (x, y, z), unnegated.  cdtools' two signs cancel.
    positions=at(
        "sample_1/geometry_1/translation", "data_1/translation", f"{_DETECTOR}/translation"
    ),
    position_axes="xy",
    position_mark="middle",
    position_indexes=at(f"{_PTYCHODUS}/probe_position_indexes"),
    mask=at(f"{_DETECTOR}/mask", "data_1/mask"),
    dark=at(f"{_DETECTOR}/data_dark"),
    ceiling=at(f"{_DETECTOR}/saturation_value"),
    energy=at(f"{_SOURCE}/energy", scale=1 / ELECTRONVOLT),
    wavelength=at(f"{_SOURCE}/wavelength"),
    distance=at(f"{_DETECTOR}/distance"),
    pitch_y=at(f"{_DETECTOR}/y_pixel_size"),
    pitch_x=at(f"{_DETECTOR}/x_pixel_size"),
    probe=at("image_1/data", f"{_SOURCE}/illumination"),
    object=at("image_2/data"),
    pixel_y=at(f"{_PTYCHODUS}/object_pixel_height_m"),
    pixel_x=at(f"{_PTYCHODUS}/object_pixel_width_m"),
    extent_xy=at("image_2/image_size"),
    centre_y=at(f"{_PTYCHODUS}/object_center_y_m"),
    centre_x=at(f"{_PTYCHODUS}/object_center_x_m"),
    title=at("title", "sample_1/name"),
    unit=at(f"{_PTYCHODUS}/unit"),
    algorithm=at("process_1/algorithm"),
    iterations=at("process_1/iterations"),
)
"""Below an entry group, usually 'entry_1'; the (3, n) translations of PyNX are read too."""

PRODUCT = Layout(
    name="ptychodus product",
    require=(("object",), ("probe_position_x_m",), ("probe_position_y_m",)),
    # Usually in a second file; some scripts put the frames beside the object.
    frames=at("patterns", "dp"),
    frame_indexes=at("indexes"),
    mask=at("bad_pixels"),
    position_y=at("probe_position_y_m"),
    position_x=at("probe_position_x_m"),
    position_indexes=at("probe_position_indexes"),
    position_mark="middle",
    # Before 1.7.0 the energy was called probe_energy_eV.
    energy=at("@photon_energy_eV", "@probe_energy_eV"),
    distance=at("@detector_object_distance_m"),
    pitch_y=at("@detector_pixel_height_m"),
    pitch_x=at("@detector_pixel_width_m"),
    probe=at("probe"),
    object=at("object"),
    pixel_y=at("object@pixel_height_m", "probe@pixel_height_m"),
    pixel_x=at("object@pixel_width_m", "probe@pixel_width_m"),
    centre_y=at("object@center_y_m"),
    centre_x=at("object@center_x_m"),
    unit=at("@unit"),
    title=at("@name"),
    algorithm=at("@algorithm"),
    iterations=at("@iterations"),
    patches=at("predictions/amplitude"),
)

TRAINING_DATA = Layout(
    name="ptychodus training data",
    require=(("patterns",), ("probe_position_x_px",), ("probe_position_y_px",)),
    frames=at("patterns"),
    position_y=at("probe_position_y_px"),
    position_x=at("probe_position_x_px"),
    position_unit="pixel",
    position_mark="middle",
    mask=at("bad_pixels"),
    energy=at("photon_energy_eV", "probe_energy_eV"),
    distance=at("detector_object_distance_m"),
    probe=at("probe"),
    object=at("object"),
    pixel_y=at("object_pixel_height_m"),
    pixel_x=at("object_pixel_width_m"),
    object_frame="index",
)

_NPZ_PRODUCT = Layout(
    name="ptychodus product (NPZ)",
    container="NPZ",
    require=(("object",), ("probe_position_x_m",), ("probe_position_y_m",)),
    position_y=at("probe_position_y_m"),
    position_x=at("probe_position_x_m"),
    position_indexes=at("probe_position_indexes"),
    position_mark="middle",
    energy=at("photon_energy_eV"),
    distance=at("detector_object_distance_m"),
    probe=at("probe"),
    object=at("object"),
    pixel_y=at("object_pixel_height_m", "probe_pixel_height_m"),
    pixel_x=at("object_pixel_width_m", "probe_pixel_width_m"),
    centre_y=at("object_center_y_m"),
    centre_x=at("object_center_x_m"),
    unit=at("unit"),
    title=at("name"),
    algorithm=at("algorithm"),
)

_PROGRAMS: tuple[Layout, ...] = (
    TRAINING_DATA,
    PRODUCT,
    Layout(
        name="ptychodus diffraction",
        require=(("patterns",), ("indexes", "bad_pixels")),
        frames=at("patterns"),
        frame_indexes=at("indexes"),
        mask=at("bad_pixels"),
        pitch_y=at("patterns@detector_pixel_height_m"),
        pitch_x=at("patterns@detector_pixel_width_m"),
    ),
    Layout(
        name="ptypy reconstruction (.ptyr)",
        require=(("content/obj",), ("content/probe",)),
        # Coordinates of the views' centres, P // 2; there only with record_positions.
        positions=at("content/positions/*"),
        # Not ptypy's: written by this program where not all frames are listed.
        position_indexes=at("content/indices"),
        unit=at("content/unit"),
        probe=at("content/probe/*/data"),
        object=at("content/obj/*/data"),
        energy=at("content/obj/*/_energy", "content/probe/*/_energy", scale=KILO),
        pixel_y=at("content/obj/*/_psize", index=0),
        pixel_x=at("content/obj/*/_psize", index=1),
        origin_y=at("content/obj/*/_origin", index=0),
        origin_x=at("content/obj/*/_origin", index=1),
    ),
    Layout(
        name="ptypy data (.ptyd)",
        require=(("chunks",), ("meta",)),
        frames=at("chunks/*/data", every=True),
        zero_frequency="centre",
        positions=at("chunks/*/positions", every=True),
        # Weights of a chunk may be empty where those in 'meta' hold for all frames.
        mask=at("chunks/*/weights", "meta/weight2d", "info/weight2d"),
        mask_marks="good",
        beam_y=at("meta/center", index=0),
        beam_x=at("meta/center", index=1),
        energy=at("meta/energy", scale=KILO),
        distance=at("meta/distance"),
        pitch_y=at("meta/psize", index=0),
        pitch_x=at("meta/psize", index=1),
    ),
    Layout(
        name="PtyLab data",
        require=(("ptychogram",), ("encoder",)),
        frames=at("ptychogram"),
        orientation_code=at("orientation"),
        positions=at("encoder"),
        wavelength=at("wavelength"),
        distance=at("zo"),
        pitch_y=at("dxd"),
        pitch_x=at("dxd"),
    ),
    Layout(
        name="PtyLab reconstruction",
        require=(("object",), ("probe",), ("dxp",), ("wavelength",)),
        positions=at("encoder_corrected"),
        wavelength=at("wavelength"),
        distance=at("zo"),
        probe=at("probe"),
        object=at("object"),
        pixel_y=at("dxp"),
        pixel_x=at("dxp"),
        object_frame="element",
    ),
    Layout(
        name="cdtools reconstruction",
        require=(("obj",), ("probe",), ("obj_basis",), ("translations",)),
        # Translations of the optics, against the basis vectors of rows and columns,
        # which point along -y and -x.
        positions=at("translations"),
        position_axes="xy",
        position_flip="yx",
        position_mark="corner",
        wavelength=at("wavelength"),
        probe=at("probe"),
        object=at("obj"),
        pixel_y=at("obj_basis", index=2, scale=-1.0),
        pixel_x=at("obj_basis", index=1, scale=-1.0),
        origin_y=at("state_dict/min_translation", index=0),
        origin_x=at("state_dict/min_translation", index=1),
        origin_unit="pixel",
    ),
    Layout(
        name="PyNX reconstruction",
        require=(("entry_last/object/data",),),
        energy=at("entry_last/instrument/beam/incident_energy"),
        probe=at("entry_last/probe/data"),
        object=at("entry_last/object/data"),
        pixel_y=at("entry_last/object/y_pixel_size"),
        pixel_x=at("entry_last/object/x_pixel_size"),
        rows_y=at("entry_last/object/row_coords"),
        columns_x=at("entry_last/object/col_coords"),
        notes=(
            "PyNX counts y upwards and turns its images to match; the object was turned back, so "
            "that it lies under the positions of its CXI file.",
        ),
    ),
    Layout(
        name="fold_slice reconstruction",
        require=(
            ("object@MATLAB_class", "outputs@MATLAB_class"),
            ("object",),
            ("probe",),
            ("outputs/probe_positions",),
        ),
        positions=at("outputs/probe_positions"),
        position_axes="xy",
        position_unit="pixel",
        probe=at("probe"),
        object=at("object"),
        image_axes="xy",
        wavelength=at("p/lambda"),
        pixel_y=at("p/dx_spec", index=1),
        pixel_x=at("p/dx_spec", index=0),
        object_frame="matlab",
        angstrom=True,
        notes=(
            "A fold_slice result: wavelength and pixel are in metres, or in ångström where they "
            "are too large for that, as it writes them for electrons.",
        ),
    ),
    Layout(
        name="fold_slice reconstruction (MATLAB before 7.3)",
        container="MATLAB",
        require=(("object",), ("probe",), ("outputs/probe_positions",)),
        positions=at("outputs/probe_positions"),
        position_axes="xy",
        position_unit="pixel",
        probe=at("probe"),
        object=at("object"),
        image_axes="xy",
        wavelength=at("p/lambda"),
        pixel_y=at("p/dx_spec", index=1),
        pixel_x=at("p/dx_spec", index=0),
        object_frame="matlab",
        angstrom=True,
    ),
    Layout(
        name="cdtools reconstruction (MATLAB)",
        container="MATLAB",
        require=(("obj",), ("probe",), ("basis",), ("translation",)),
        # MATLAB's axes come reversed: basis is (2, 3), translation (3, n).
        positions=at("translation"),
        position_axes="xy",
        position_flip="yx",
        position_mark="corner",
        probe=at("probe"),
        object=at("obj"),
        image_axes="xy",
        pixel_y=at("basis", index=1, scale=-1.0),
        pixel_x=at("basis", index=3, scale=-1.0),
    ),
    Layout(
        name="PtychoShelves reconstruction",
        require=(("reconstruction/p/objects/object_0",),),
        probe=at("reconstruction/p/probes/probe_0", "reconstruction/p/probes"),
        object=at("reconstruction/p/objects/object_0"),
        image_axes="xy",
        wavelength=at("reconstruction/p/lambda"),
        pixel_y=at("reconstruction/p/dx_spec", index=1),
        pixel_x=at("reconstruction/p/dx_spec", index=0),
        object_frame="matlab",
        angstrom=True,
    ),
    Layout(
        name="fold_slice positions",
        require=(("ppX",), ("ppY",)),
        frames=at("dp"),
        position_y=at("ppY"),
        position_x=at("ppX"),
        # fold_slice reconstructs with (-ppY, -ppX); ptychodus reads them unnegated.
        position_flip="yx",
        wavelength=at("lambda"),
        pixel_y=at("dx"),
        pixel_x=at("dx"),
        angstrom=True,
        notes=(
            "Positions ppX, ppY have the sign that fold_slice reconstructs with; ptychodus takes "
            "the opposite one.",
        ),
    ),
    Layout(
        name="pty-chi or fold_slice diffraction",
        require=(("dp",),),
        frames=at("dp"),
        mask=at("bad_pixels"),
    ),
)

_BEAMLINES: tuple[Layout, ...] = (
    Layout(
        name="NSLS-II HXN",
        require=(("diffamp",), ("points",)),
        # Arrays are (n, x, y), made so by turning the detector's frames by 90 degrees.
        frames=at("diffamp"),
        amplitude=True,
        zero_frequency="corner",
        orientation=4,
        image_axes="xy",
        positions=at("points", scale=MICRO),
        position_axes="xy",
        wavelength=at("lambda_nm", scale=NANO),
        distance=at("z_m"),
        pitch_y=at("ccd_pixel_um", scale=MICRO),
        pitch_x=at("ccd_pixel_um", scale=MICRO),
        notes=(
            "HXN arrays are stored (x, y) and were transposed; directions x and y may be mirrored, "
            "which HXN's own program leaves to its options x_direction and y_direction.",
        ),
    ),
    Layout(
        name="NSLS-II HXN, raw",
        require=(("diff_data/merlin1/det_images", "entry/data/data"), ("scan/scan_positions",)),
        frames=at("diff_data/merlin1/det_images", "entry/data/data"),
        positions=at("scan/scan_positions", scale=MICRO),
        position_axes="xy",
        energy=at("scan/energy"),
        notes=(_STAGE_SIGN.format(what="HXN"),),
    ),
    Layout(
        name="NSLS-II HXN (MATLAB 7.3)",
        require=(("det_data",), ("pos_xy",)),
        frames=at("det_data"),
        # (3, n): number, x, y.
        position_x=at("pos_xy", index=1, scale=MICRO),
        position_y=at("pos_xy", index=2, scale=MICRO),
        energy=at("energy", scale=KILO),
        distance=at("det_dist", scale=MICRO),
        pitch_y=at("det_pixel_size", scale=MICRO),
        pitch_x=at("det_pixel_size", scale=MICRO),
        probe=at("prb"),
        object=at("obj"),
        pixel_y=at("img_pixel_size_y"),
        pixel_x=at("img_pixel_size_x"),
    ),
    Layout(
        name="MAX IV NanoMAX",
        require=(
            (
                "entry/measurement/eiger1m/frames",
                "entry/instrument/Eiger/data",
                "entry/measurement/Eiger/data",
                "entry/measurement/eiger4m/frames",
            ),
            ("entry/measurement/pseudo/x",),
        ),
        frames=at(
            "entry/measurement/eiger1m/frames",
            "entry/instrument/Eiger/data",
            "entry/measurement/Eiger/data",
            "entry/measurement/eiger4m/frames",
        ),
        position_y=at("entry/measurement/pseudo/y", scale=MICRO),
        position_x=at("entry/measurement/pseudo/x", scale=MICRO),
        energy=at("entry/snapshot/energy", "entry/snapshots/post_scan/energy"),
        notes=(_STAGE_SIGN.format(what="NanoMAX"),),
    ),
    Layout(
        name="MAX IV SoftiMAX",
        require=(("entry/data/data",), ("entry/data/samx",), ("entry/data/samy",)),
        frames=at("entry/data/data"),
        position_y=at("entry/data/samy", scale=MICRO),
        position_x=at("entry/data/samx", scale=MICRO),
        energy=at("entry/snapshot/beamline_energy"),
        notes=(_STAGE_SIGN.format(what="SoftiMAX"),),
    ),
    Layout(
        name="SLS cSAXS",
        require=(
            ("entry/data/data", "entry/data/data_*"),
            ("entry/instrument/eiger_4", "entry/instrument/monochromator/distance"),
        ),
        frames=at("entry/data/data", "entry/data/data_*", every=True),
        energy=at("entry/instrument/monochromator/energy", scale=KILO),
        distance=at("entry/instrument/monochromator/distance", scale=MILLI),
        pitch_y=at("entry/instrument/eiger_4/y_pixel_size", scale=MICRO),
        pitch_x=at("entry/instrument/eiger_4/x_pixel_size", scale=MICRO),
    ),
    Layout(
        name="LCLS XPP",
        require=(("jungfrau1M/image_img",), ("lmc/ch03",), ("lmc/ch05",)),
        frames=at("jungfrau1M/image_img"),
        # As ptychodus reads them at 180 degrees: both stages run against the image.
        position_y=at("lmc/ch05", scale=MICRO),
        position_x=at("lmc/ch03", scale=MICRO),
        position_flip="yx",
        notes=(
            "Shots are not filtered by the intensity in ipm2; positions are for the stage at "
            "180 degrees.",
        ),
    ),
    Layout(
        name="APS 9-ID CSSI",
        require=(("exchange/data",), ("exchange/motor_pos",)),
        frames=at("exchange/data"),
        positions=at("exchange/motor_pos", scale=MILLI),
        position_axes="xy",
        notes=(_STAGE_SIGN.format(what="9-ID"),),
    ),
    Layout(
        name="APS LYNX / LamNI",
        require=(("entry/data/eiger_4",),),
        frames=at("entry/data/eiger_4"),
        beam_y=at("entry/data/eiger_4@Center_y_pixel"),
        beam_x=at("entry/data/eiger_4@Center_x_pixel"),
        energy=at("entry/data/eiger_4@Photon_energy_kev", scale=KILO),
        distance=at("entry/data/eiger_4@Detector_distance_m"),
        pitch_y=at("entry/data/eiger_4@Pixel_size"),
        pitch_x=at("entry/data/eiger_4@Pixel_size"),
    ),
    Layout(
        name="APS POLAR",
        require=(("entry/externals/eiger",), ("entry/instrument/bluesky",)),
        frames=at(
            "entry/externals/eiger/detector/data",
            "entry/externals/eiger/data/data",
            "entry/externals/eiger",
        ),
        beam_y=at("entry/externals/eiger/NDAttributes/BeamCenterY", index=0),
        beam_x=at("entry/externals/eiger/NDAttributes/BeamCenterX", index=0),
        position_y=at(
            f"{_ATTRIBUTES}/Ypos", f"{_BLUESKY}/primary/huber_hp_nanoy/value", scale=MICRO
        ),
        position_x=at(
            f"{_ATTRIBUTES}/Xpos", f"{_BLUESKY}/primary/huber_hp_nanox/value", scale=MICRO
        ),
        energy=at(f"{_BLUESKY}/baseline/mono_energy/value_start", scale=KILO),
        distance=at("entry/externals/eiger/NDAttributes/DetectorDistance", scale=MILLI, index=0),
        notes=(_STAGE_SIGN.format(what="POLAR"),),
    ),
    Layout(
        name="APS ISN positions",
        require=(("entry/data/X_Position",), ("entry/data/Y_Position",)),
        position_y=at("entry/data/Y_Position", scale=MICRO),
        position_x=at("entry/data/X_Position", scale=MICRO),
    ),
    Layout(
        name="Diamond I13",
        require=(
            ("entry1/instrument",),
            ("entry1/instrument/*/t1_sx",),
            ("entry1/instrument/*/t1_sy",),
        ),
        frames=at("entry1/instrument/*/data"),
        position_y=at("entry1/instrument/*/t1_sy", scale=MICRO),
        position_x=at("entry1/instrument/*/t1_sx", scale=MICRO),
        notes=(_STAGE_SIGN.format(what="I13"),),
    ),
    Layout(
        name="Diamond NXcxi_ptycho",
        require=(
            ("entry_1/data/data", f"entry_1/{_DETECTOR}/data", "entry_1/image_2/data"),
            (f"entry_1/{_BEAM}",),
        ),
        frames=at("entry_1/data/data", f"entry_1/{_DETECTOR}/data"),
        position_y=at("entry_1/data/y"),
        position_x=at("entry_1/data/x"),
        positions=at(f"entry_1/{_DETECTOR}/translation", "entry_1/data_1/translation"),
        position_axes="xy",
        mask=at(f"entry_1/{_DETECTOR}/pixel_mask", f"entry_1/{_DETECTOR}/mask"),
        dark=at(f"entry_1/{_DETECTOR}/darkfield"),
        ceiling=at(f"entry_1/{_DETECTOR}/saturation_value"),
        # source_1/energy is that of the machine.
        energy=at(f"entry_1/{_BEAM}/energy", f"entry_1/{_BEAM}/incident_beam_energy"),
        distance=at(f"entry_1/{_DETECTOR}/distance"),
        pitch_y=at(f"entry_1/{_DETECTOR}/y_pixel_size"),
        pitch_x=at(f"entry_1/{_DETECTOR}/x_pixel_size"),
        probe=at("entry_1/image_1/data"),
        object=at("entry_1/image_2/data"),
        pixel_y=at(f"entry_1/{_PTYCHODUS}/object_pixel_height_m"),
        pixel_x=at(f"entry_1/{_PTYCHODUS}/object_pixel_width_m"),
        extent_xy=at("entry_1/image_2/image_size"),
        centre_y=at(f"entry_1/{_PTYCHODUS}/object_center_y_m"),
        centre_x=at(f"entry_1/{_PTYCHODUS}/object_center_x_m"),
        position_indexes=at(f"entry_1/{_PTYCHODUS}/probe_position_indexes"),
        position_mark="middle",
        unit=at(f"entry_1/{_PTYCHODUS}/unit"),
        title=at("entry_1/title"),
        algorithm=at("entry_1/process_1/algorithm"),
        iterations=at("entry_1/process_1/iterations"),
    ),
    Layout(
        name="EIGER master",
        require=(
            ("entry/data/data", "entry/data/data_*"),
            (f"{_EIGER}/detectorSpecific", f"{_EIGER}/detector_distance"),
        ),
        frames=at("entry/data/data", "entry/data/data_*", every=True),
        beam_y=at(f"{_EIGER}/beam_center_y"),
        beam_x=at(f"{_EIGER}/beam_center_x"),
        mask=at(f"{_EIGER}/detectorSpecific/pixel_mask", f"{_EIGER}/pixel_mask"),
        ceiling=at(
            f"{_EIGER}/saturation_value",
            f"{_EIGER}/detectorSpecific/saturation_value",
            f"{_EIGER}/detectorSpecific/countrate_correction_count_cutoff",
        ),
        stage_angle=at("entry/sample/goniometer/chi", index=0),
        energy=at(f"{_EIGER}/detectorSpecific/photon_energy", "entry/instrument/beam/energy"),
        wavelength=at("entry/instrument/beam/incident_wavelength", scale=1e-10),
        distance=at(f"{_EIGER}/detector_distance", index=0),
        pitch_y=at(f"{_EIGER}/y_pixel_size", index=0),
        pitch_x=at(f"{_EIGER}/x_pixel_size", index=0),
    ),
    Layout(
        name="areaDetector",
        require=(("entry/data/data", "entry/data/data_*"), ("entry",)),
        frames=at("entry/data/data", "entry/data/data_*", every=True),
        energy=at(f"{_ATTRIBUTES}/monoE", index=0),
        wavelength=at(f"{_ATTRIBUTES}/Wavelength", scale=1e-10, index=0),
    ),
    Layout(
        name="SOLEIL SWING or Nanoscopium",
        require=(("*/scan_data/eiger_image", "*/scan_data/Image_merlin_image"),),
        frames=at("*/scan_data/eiger_image", "*/scan_data/Image_merlin_image"),
        distance=at("*/SWING/EIGER-4M/distance", scale=MILLI, index=0),
        pitch_y=at("*/SWING/EIGER-4M/pixel_size_z", scale=MICRO, index=0),
        pitch_x=at("*/SWING/EIGER-4M/pixel_size_x", scale=MICRO, index=0),
    ),
    Layout(
        name="ESRF ID16A",
        require=(("*/ptycho/data",),),
        frames=at("*/ptycho/data"),
    ),
)

_ELECTRONS: tuple[Layout, ...] = (
    Layout(
        name="EMD 1.0 (py4DSTEM)",
        require=(("*/datacube/data", "datacube/data", "*/data/dim3"),),
        frames=at("*/datacube/data", "datacube/data", "*/data/data"),
        position_y=at("*/datacube/dim0", "datacube/dim0", "*/data/dim0"),
        position_x=at("*/datacube/dim1", "datacube/dim1", "*/data/dim1"),
        position_unit="guess",
    ),
    Layout(
        name="EMD 0.2",
        require=(("data/*/dim4", "*/data/*/dim4", "*/data/datacubes/*/dim4"),),
        frames=at("data/*/data", "*/data/*/data", "*/data/datacubes/*/data"),
        position_y=at("data/*/dim1", "*/data/*/dim1", "*/data/datacubes/*/dim1"),
        position_x=at("data/*/dim2", "*/data/*/dim2", "*/data/datacubes/*/dim2"),
        position_unit="guess",
    ),
    Layout(
        name="4D-STEM",
        container="4D-STEM",
        require=(("frames",),),
        frames=at("frames"),
    ),
)

_NUMPY: tuple[Layout, ...] = (
    _NPZ_PRODUCT,
    Layout(
        name="PtychoPINN",
        container="NPZ",
        require=(
            ("diffraction", "diff3d"),
            ("xcoords", "xcoords_start"),
            ("ycoords", "ycoords_start"),
        ),
        frames=at("diffraction", "diff3d"),
        amplitude=True,
        position_y=at("ycoords", "ycoords_start"),
        position_x=at("xcoords", "xcoords_start"),
        position_unit="pixel",
        energy=at("photon_energy_eV", "probe_energy_ev"),
        distance=at("detector_distance_m"),
        pitch_y=at("detector_pixel_size_m"),
        pitch_x=at("detector_pixel_size_m"),
        probe=at("probeGuess"),
        object=at("objectGuess"),
        object_frame="index",
    ),
    Layout(
        name="tike",
        container="NPZ",
        require=(("data",), ("scan",)),
        frames=at("data"),
        zero_frequency="corner",
        positions=at("scan"),
        position_unit="pixel",
        position_mark="corner",
        probe=at("probe"),
    ),
    Layout(
        name="PtychoNN, frames and positions",
        container="NPZ",
        require=(("reciprocal",), ("position",)),
        frames=at("reciprocal"),
        frame_labels=at("real"),
        positions=at("position"),
        position_unit="guess",
        pixel_y=at("pixelsize"),
        pixel_x=at("pixelsize"),
    ),
    Layout(
        name="ptychodus diffraction (NPZ)",
        container="NPZ",
        require=(("patterns",),),
        frames=at("patterns"),
        frame_indexes=at("indexes"),
        mask=at("bad_pixels"),
        positions=at("positions", "position"),
        position_unit="guess",
    ),
    Layout(
        name="PtychoNN, frames",
        container="NPZ",
        require=(("arr_0", "reciprocal"),),
        frames=at("arr_0", "reciprocal"),
    ),
    Layout(
        name="NumPy frames",
        container="NPY",
        require=(("array",),),
        frames=at("array"),
    ),
)

_IMAGES: tuple[Layout, ...] = (
    Layout(
        name="amplitude and phase images",
        container="TIFF",
        require=(("amplitude",), ("phase",)),
        object_amplitude=at("amplitude"),
        object_phase=at("phase"),
        pixel_y=at("amplitude@pixel_height_m", "phase@pixel_height_m"),
        pixel_x=at("amplitude@pixel_width_m", "phase@pixel_width_m"),
        origin_y=at("amplitude@origin_y_m"),
        origin_x=at("amplitude@origin_x_m"),
    ),
)

LAYOUTS: tuple[Layout, ...] = (
    *_PROGRAMS,
    *_BEAMLINES,
    CXI,
    Layout(
        # What tike, pty-chi scripts and this project's own data write: an object with the
        # (y, x) index in it of the centre element of each window.
        name="object with positions in pixels",
        require=(("object",), ("positions_px",)),
        positions=at("positions_px"),
        position_unit="pixel",
        position_indexes=at("indexes"),
        probe=at("probe"),
        object=at("object"),
        object_frame="index",
        title=at("@name"),
        algorithm=at("@algorithm"),
        iterations=at("@iterations"),
    ),
    *_ELECTRONS,
    *_NUMPY,
    *_IMAGES,
)
"""Most specific first."""
