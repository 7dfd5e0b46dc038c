"""What a device measures: the profile model, the registry and the catalogue."""
