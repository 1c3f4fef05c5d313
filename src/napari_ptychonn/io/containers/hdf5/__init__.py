"""HDF5 files, read under a policy for links, filters and sizes."""
