"""The box in the field: spool, uplink, remote configuration, commands, health and field tools."""
