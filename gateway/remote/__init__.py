"""Signed orders from the centre: who may give them, that each counts once, and an account of all of them (ADR 0008)."""
