"""The project's own model files: mote, from generated dialogues to GGUF; the embedder, from published weights to GGUF."""
