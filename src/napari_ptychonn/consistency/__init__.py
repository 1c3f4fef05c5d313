"""Whether frames, positions, object and probe belong together, judged by the physics."""
