"""Results and reconstructions in the formats of this and other programs."""
