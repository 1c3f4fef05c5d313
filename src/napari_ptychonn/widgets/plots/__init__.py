"""Curves in the dock."""
