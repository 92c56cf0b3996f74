"""Anthropic's Messages API as a translation to and from a chat. Pure."""
