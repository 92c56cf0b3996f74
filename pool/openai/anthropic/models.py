"""Models as Anthropic lists them, from what OpenAI's list says of them."""

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from pool.openai.objects import Json


def model_info(told: dict[str, Any]) -> Json:
    """One model; its name is its id, and prompt and answer share its context."""
    about = told["x_iamine"]
    return {
        "type": "model",
        "id": told["id"],
        "display_name": told["id"],
        "created_at": datetime.fromtimestamp(told["created"], timezone.utc).isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "capabilities": None,
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "max_input_tokens": about["context_tokens"],
        "max_tokens": about["context_tokens"],
        "x_iamine": about,
    }


def model_page(told: Sequence[dict[str, Any]]) -> Json:
    """All models on one page."""
    data = [model_info(one) for one in told]
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }
