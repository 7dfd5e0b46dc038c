"""What a gateway may switch: its own list, and how an order to switch is carried out (ADR 0008)."""
