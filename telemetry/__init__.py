"""The words everyone shares: quantity and unit, quality, series identity, clock, batch, wire format, topics."""
