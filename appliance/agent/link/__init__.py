"""The link to the pool: the only room that speaks WebSocket."""

from appliance.agent.link.client import Endpoint, Link, Owner, Refused
from appliance.agent.link.knock import Greeting, knock
from appliance.agent.link.socket import LinkBroken

__all__ = ["Endpoint", "Greeting", "Link", "LinkBroken", "Owner", "Refused", "knock"]
