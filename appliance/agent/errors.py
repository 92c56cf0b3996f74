"""Errors of the agent: each says what to try next."""

from iamine.errors import IamineError


class AgentError(IamineError):
    """The agent cannot go on like this."""


class ConfigError(AgentError):
    """A setting is missing or wrong."""


class EngineFailed(AgentError):
    """llama.cpp could not load the file or died while doing so."""


class NotTheFile(EngineFailed):
    """It was not loaded, but nothing speaks against the file."""


class EngineStopped(NotTheFile):
    """It would have been loaded, but the worker ends."""


class EngineAway(NotTheFile):
    """The engine host does not answer, or was lost while it loaded the file."""


class EngineQuarantined(EngineFailed):
    """The file's engine died again and again; the note about it can be lifted."""
