"""What a profile may name as a ``field``, one module per protocol.

``parse(text)`` of each gives the field in its parts, or raises ValueError: what was found, what was expected.
"""
