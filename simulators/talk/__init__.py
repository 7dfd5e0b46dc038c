"""How simulated devices speak: one module a protocol, found under the name that profiles give it."""
