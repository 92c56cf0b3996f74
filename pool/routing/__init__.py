"""Who does what: pure decisions about jobs and workers. No I/O, no clock, no randomness."""
