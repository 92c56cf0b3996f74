"""What an account does about itself, in OpenAI's manner: claims of workers in, lists out."""

from pool.openai.fields import Fields, decode_object

MAX_CODE_CHARACTERS = 64


def parse_claim(body: bytes) -> str:
    """The code in the body. Raises InvalidRequest naming the parameter."""
    fields = Fields(decode_object(body))
    fields.only({"code"}, {})
    return fields.needed_string("code", max_length=MAX_CODE_CHARACTERS)
