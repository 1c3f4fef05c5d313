"""The probe, its propagation to the detector, and interpolation between pixels."""
