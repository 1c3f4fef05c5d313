"""Readers of the kinds of files (HDF5, NumPy, TIFF, …); they run in the sandbox only."""
