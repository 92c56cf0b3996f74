"""The wire between a pool and its workers: messages, their bytes, and the order in which they may come."""
