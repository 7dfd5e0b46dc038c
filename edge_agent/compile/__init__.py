"""From the settings of buses and devices to plans that can't be wrong any more; each mistake with file and line."""
