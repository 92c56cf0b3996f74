"""mote: the project's own micro-model, from generated dialogues to a GGUF file."""
