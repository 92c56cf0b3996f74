"""Models in Anthropic's form."""

from pool.openai.anthropic.models import model_info, model_page

MOTE = {"id": "mote", "object": "model", "created": 1_700_000_000, "owned_by": "x", "x_iamine": {"context_tokens": 1024}}


def test_a_model() -> None:
    told = model_info(MOTE)
    assert (told["type"], told["id"], told["display_name"]) == ("model", "mote", "mote")
    assert told["created_at"] == "2023-11-14T22:13:20Z"
    assert (told["max_input_tokens"], told["lifecycle"], told["x_iamine"]) == (1024, "active", {"context_tokens": 1024})


def test_one_page_holds_them_all() -> None:
    page = model_page([MOTE, MOTE | {"id": "b"}])
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("mote", "b", False)
    assert model_page([]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}
