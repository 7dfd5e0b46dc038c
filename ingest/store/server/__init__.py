"""Rows in a server of time series (VictoriaMetrics, InfluxDB 2): it keeps the rows, a journal the rest.

Such a server has no transaction, no order of commits and no NaN (docs/adr/0014-rows-in-a-server.md):

    commit --> journal: the group, whole --> server: its rows --> journal: committed, with its ranges
                (redo record)                 (line protocol)      (acknowledged from here on)

What is in the journal and not at the server is sent again, byte for byte, before anything else; so nothing is lost, and
nothing doubled. ``layers`` makes the later commit win on servers that keep whichever they like of two values.
"""
