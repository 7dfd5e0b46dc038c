"""What a field engineer asks of a line: read, guess, scan, measure, record. Nothing in here writes to a device."""
