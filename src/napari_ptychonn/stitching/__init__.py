"""Overlapping patches made into one mosaic, and its uncertainty."""
