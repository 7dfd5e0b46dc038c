"""From levels to people: rule packs, hazards, fusion, alarms, warnings, channels, HTTP API and console."""
