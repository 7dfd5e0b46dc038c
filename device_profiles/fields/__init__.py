"""What a profile may name as a ``field``, one module per protocol: ``parse(text)`` gives it in parts or raises ValueError."""
