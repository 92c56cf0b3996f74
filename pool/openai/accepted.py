"""Which documented parameters are accepted without effect, and which are refused: each with its reason."""

from collections.abc import Mapping

from pool.openai.fields import Fields

# Accepted: they cannot change an answer of this pool, and common clients send them by themselves.
HARMLESS: Mapping[str, type] = {
    "user": str,  # a label for abuse tracking; the account is known from the key
    "safety_identifier": str,  # the newer name of user
    "metadata": dict,  # labels for stored completions; nothing is stored here
    "prompt_cache_key": str,  # a routing hint; prefixes are found by their content here
    "prompt_cache_retention": str,  # a wish about caching; it never changes the answer
}

# Accepted with the values listed only, since these say what happens here anyway.
ONLY: Mapping[str, tuple[object, ...]] = {
    "store": (False,),  # nothing is stored
    "service_tier": ("auto", "default"),  # there is one tier of service
    "modalities": (["text"],),
}

# Documented by OpenAI, and refused: what the person should know or do instead.
REFUSED_CHAT: Mapping[str, str] = {
    "audio": "this pool answers in text only.",
    "functions": "it is deprecated; send 'tools'.",
    "function_call": "it is deprecated; send 'tool_choice'.",
    "prediction": "predicted outputs are not implemented; leave it out.",
    "verbosity": "say in a message how long the answer should be.",
    "web_search_options": "no model here searches the web.",
    "moderation": "requests are not moderated here.",
}

REFUSED_COMPLETION: Mapping[str, str] = {
    "suffix": "no model here fills in the middle.",
}


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")  # OpenAI's API reference, reasoning_effort


def parse_effort(fields: Fields, key: str) -> str:
    """How much the model should reason, "" where nothing is said. The model's template decides what it can be told."""
    effort = fields.string(key) or ""
    if effort and effort not in EFFORTS:
        fields.refuse(key, f"must be one of {', '.join(EFFORTS)}.", "unsupported_value")
    return effort


def check_harmless(fields: Fields) -> None:
    """Check the types of HARMLESS, and refuse those of ONLY when they ask for anything but what happens here."""
    for key in fields.value.keys() & HARMLESS.keys():
        fields.typed(key, HARMLESS[key])
    for key in fields.value.keys() & ONLY.keys():
        value, values = fields.value[key], ONLY[key]
        if value is not None and not any(type(value) is type(known) and value == known for known in values):
            allowed = " or ".join(repr(known) for known in values)
            fields.refuse(key, f"only {allowed} is supported here.", "unsupported_value")
