"""The HTTP side of the pool: bytes to values, values to bytes."""
