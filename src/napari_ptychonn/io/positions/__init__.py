"""Scan positions: tables, units, axes, and the frames that they belong to."""
