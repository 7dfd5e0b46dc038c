"""A physical world, scenarios, and simulated devices on real protocols."""
