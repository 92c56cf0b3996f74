"""OpenAI's Responses API, the part that keeps nothing, as a translation to and from a chat. Pure."""
