"""NMEA 0183: sentences of weather stations, buoys and ships."""
