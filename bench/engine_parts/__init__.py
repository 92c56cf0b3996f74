"""The parts of bench/engine.py and bench/gpu.py: what runs a model, and what it is asked."""
