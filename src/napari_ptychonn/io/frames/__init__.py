"""Diffraction frames that stay in their file until they are read."""
