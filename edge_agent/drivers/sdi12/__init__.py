"""SDI-12 1.4: sensors on one wire, asked in ASCII through a serial adapter."""
