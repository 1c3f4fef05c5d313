"""Simulated samples and scans whose object is known."""
