"""The pool: an OpenAI-compatible server that hands work to volunteers' machines."""
