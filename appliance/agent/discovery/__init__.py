"""Looking for what is announced on the local network: the only room of the agent that speaks mDNS, and only while it looks."""

from appliance.agent.discovery.browse import NoMulticast, Seen, browse

__all__ = ["NoMulticast", "Seen", "browse"]
