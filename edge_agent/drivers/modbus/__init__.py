"""Modbus RTU and TCP with a transaction layer of our own: a wrong value is worse than none."""
