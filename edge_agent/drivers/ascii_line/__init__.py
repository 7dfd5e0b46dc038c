"""Lines of text, described by the profile: the driver for devices without a protocol of their own."""
