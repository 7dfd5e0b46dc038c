"""SL 651-2014: what hydrological stations report to a centre, in its HEX/BCD coding."""
