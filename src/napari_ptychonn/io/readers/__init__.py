"""Scans, reconstructions and results out of files of any layout."""
