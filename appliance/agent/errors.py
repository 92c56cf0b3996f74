"""Errors of the agent: each says what to try next."""

from iamine.errors import IamineError


class AgentError(IamineError):
    """The agent cannot go on like this."""


class ConfigError(AgentError):
    """A setting is missing or wrong."""


class EngineFailed(AgentError):
    """llama.cpp could not load the file or died while doing so."""


class EngineStopped(EngineFailed):
    """It would have been loaded, but the worker ends: nothing is wrong with the file."""


class EngineQuarantined(EngineFailed):
    """The file's engine died again and again; the note about it can be lifted."""
