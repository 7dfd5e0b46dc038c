"""What carries bytes: serial ports, connections to serial servers, and who may talk on them when."""
