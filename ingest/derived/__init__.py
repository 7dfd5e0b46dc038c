"""What is computed from what was measured: pure functions over arrays, and the rules for which series there are."""
