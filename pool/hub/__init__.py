"""The hub: links to workers, live jobs, and the one place that performs what the scheduler decides."""

from pool.hub.hub import Hub
from pool.hub.link import Link, Socket
from pool.hub.stream import Stream

__all__ = ["Hub", "Link", "Socket", "Stream"]
