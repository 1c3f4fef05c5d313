"""Prediction with a trained network, as fast as the device allows."""
