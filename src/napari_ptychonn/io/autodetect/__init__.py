"""Datasets recognised by shape and name where no layout fits."""
