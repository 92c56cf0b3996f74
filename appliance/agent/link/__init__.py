"""The link to the pool: the only room that speaks WebSocket."""

from appliance.agent.link.client import Endpoint, Link, LinkBroken, Owner, Refused

__all__ = ["Endpoint", "Link", "LinkBroken", "Owner", "Refused"]
