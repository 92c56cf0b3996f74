"""The link to the pool: the only room that speaks WebSocket."""

from appliance.agent.link.client import Endpoint, Link, Owner, Refused
from appliance.agent.link.knock import Greeting, knock
from appliance.agent.link.pins import read_pins
from appliance.agent.link.socket import LinkBroken, certificate_problem

__all__ = ["Endpoint", "Greeting", "Link", "LinkBroken", "Owner", "Refused", "certificate_problem", "knock", "read_pins"]
