"""What both sides of the wire agree on: ids, keys, the manifest, the wire itself and the one command."""

__version__ = "0.1.0"
