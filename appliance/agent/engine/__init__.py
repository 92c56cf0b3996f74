"""The child process around llama.cpp: jobs in, tokens out."""
