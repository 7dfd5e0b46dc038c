"""Quality control: pure functions over columns. Flag, never fix: no check alters a value."""
