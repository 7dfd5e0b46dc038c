"""The way into the centre: subscriber, quality control, store adapters and the hot window."""
