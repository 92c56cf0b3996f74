"""The local network: what is announced there, and how it is read."""
