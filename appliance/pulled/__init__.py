"""The stick was pulled out of a machine that runs from memory: the worker goes on without anything that was on it."""
