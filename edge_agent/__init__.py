"""Acquisition: drivers, read plan, bus scheduler and decoding."""
