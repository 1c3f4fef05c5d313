"""PtychoNN: its options, layers, preprocessing and model file."""
