"""How fast this machine copies memory: what decoding on the CPU is bound by."""

import ctypes
import threading
import time

SWEEP_S = 0.08
TOTAL_BYTES = 256 << 20  # of all threads, both sides: beyond most caches, and what a machine of 1 GB has to spare
MOST_THREADS = 8  # the memory channels of a desktop are full before that; a server is measured on the low side


def copy_bytes_per_s(threads: int, sweep_s: float = SWEEP_S) -> float:
    """Bytes read and written per second by `threads` threads together in about `sweep_s`; 0.0 where it cannot be measured."""
    try:
        move = ctypes.CDLL(None).memmove
    except (OSError, TypeError, AttributeError):
        return 0.0
    move.argtypes, move.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t], ctypes.c_void_p
    count = max(1, min(threads, MOST_THREADS))
    size = TOTAL_BYTES // count // 2
    rates = [0.0] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        source, target = (ctypes.create_string_buffer(size) for _ in range(2))
        move(target, source, size)  # the pages are there now
        start.wait()
        end = time.monotonic() + sweep_s
        while (began := time.monotonic()) < end:
            move(target, source, size)  # ctypes releases the interpreter's lock
            rates[number] = max(rates[number], 2 * size / (time.monotonic() - began))  # the others may be busy for a moment

    workers = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates)
