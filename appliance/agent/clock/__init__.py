"""The machine's clock, checked by the pool's where no time server answers; a program of its own, for it may set the clock."""
