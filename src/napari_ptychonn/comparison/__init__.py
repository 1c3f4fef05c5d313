"""A prediction measured against a reconstruction."""
