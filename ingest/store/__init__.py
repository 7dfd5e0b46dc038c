"""Where rows are kept: one small protocol, one file per store."""
