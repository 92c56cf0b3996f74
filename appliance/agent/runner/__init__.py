"""Engines as processes: one per model, restarted when they die, quarantined when their file keeps killing them."""

from appliance.agent.runner.process import Launch, hosted, spawn
from appliance.agent.runner.runner import Runner

__all__ = ["Launch", "Runner", "hosted", "spawn"]
