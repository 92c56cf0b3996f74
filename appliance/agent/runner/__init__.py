"""Engines as child processes: one per model, restarted when they die, quarantined when their file keeps killing them."""

from appliance.agent.runner.runner import Runner

__all__ = ["Runner"]
