"""The parts of the relay's measurement: each a process of its own, so that its processor time is its own."""
