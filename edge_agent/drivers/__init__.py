"""One folder per protocol: ``frames`` (no I/O) and ``driver`` (transactions)."""
