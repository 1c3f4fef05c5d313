"""The Qt-free core: what a scan is, how PtychoNN learns from it, how mosaics are made."""

from napari_ptychonn.core.openmp import wait_passively

wait_passively()  # here, because every import of torch by this package comes after this one
