"""The parts of bench/gpu.py: what is built, measured and compared on a machine with a graphics card."""
