"""Runs many seeds of the simulation on every core: `python tests/sim/many.py [SEEDS] [--first N] [--stop-early]`.

Prints the seed of every world that broke a promise, with the command that runs it again, and ends with 1 if there was one.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from worlds import check_totals, run

SHARE = 10  # seeds that a process takes at a time: with each share come the special worlds
ENOUGH_FOR_TOTALS = 50
MOST_FAILURES = 5


def share(seeds: range) -> tuple[Counter[str], list[str]]:
    """What was seen, and what went wrong, each with its seed."""
    logging.disable(logging.CRITICAL)
    seen: Counter[str] = Counter()
    failures: list[str] = []
    for seed in seeds:
        try:
            seen += run([seed])
        except AssertionError as error:
            where = traceback.extract_tb((error.__cause__ or error).__traceback__)[-1]
            failures.append(f"{error} [{Path(where.filename).name}:{where.lineno}]")
    return seen, failures


def shares(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, SHARE):
        yield range(start, min(start + SHARE, first + count))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", nargs="?", type=int, default=2000, help="how many (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default %(default)s)")
    parser.add_argument("--stop-early", action="store_true", help="stop at the first failure")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at once (default: one a core)")
    options = parser.parse_args()
    began, seen, failures = time.monotonic(), Counter[str](), list[str]()
    with multiprocessing.Pool(options.processes) as pool:
        for counted, wrong in pool.imap_unordered(share, shares(options.first, options.seeds)):
            seen += counted
            failures += wrong
            if len(failures) >= (1 if options.stop_early else MOST_FAILURES):
                break
    if not failures and options.seeds >= ENOUGH_FOR_TOTALS:
        try:
            check_totals(seen)
        except AssertionError as error:
            failures.append(str(error))
    for failure in failures:
        print(f"FAILED {failure}")
    if failures:
        print("one seed again: python tests/sim/many.py 1 --first SEED")
        return 1
    print(f"{options.seeds} seeds in {time.monotonic() - began:.0f} s: every promise kept")
    print(", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
