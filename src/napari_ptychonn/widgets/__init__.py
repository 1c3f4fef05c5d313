"""The dock: the only place that wires the session to napari and Qt."""

from napari_ptychonn.compute.openmp import wait_passively

wait_passively()  # every import of torch by the window comes after this one
