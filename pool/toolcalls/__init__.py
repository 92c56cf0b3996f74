"""What a model's raw text says: content, reasoning and tool calls, however the text is cut into deltas.

Special tokens are rendered in the text. Only what the model writes is read here, never a prompt, so a user's text makes
no call: the engine cuts the texts of special tokens apart when it tokenises a prompt (appliance/agent/engine/markers.py).
What a model repeats after a user is the model's word like any other: a call counts when a tool of the request accepts it,
and a mark that opens nothing sensible is content. That holds for marks that are one control token too: text alone does
not tell them from the same letters spelt out.
"""
