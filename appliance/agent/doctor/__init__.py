"""`iamine doctor`: each thing that must be right, whether it is, and what to do when it is not."""

from appliance.agent.doctor.check import Check, State, worst
from appliance.agent.doctor.hardware import gpus
from appliance.agent.doctor.rounds import Subject, examine

__all__ = ["Check", "State", "Subject", "examine", "gpus", "worst"]
