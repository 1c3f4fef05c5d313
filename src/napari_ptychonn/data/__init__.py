"""Values that travel through the program: scans, reconstructions, regions, patches, results."""
