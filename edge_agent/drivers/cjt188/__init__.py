"""CJ/T 188-2004: water, heat and gas meters on RS-485 or M-Bus."""
