"""Credits and debits for what is served: the decision's band is credited by capacity, who serves is debited.

Both happen at the decision, by what the job is expected to cost, so that the next decision knows of it; when the cost
is known the difference is settled with those of the band's cells who are there then. What is given equals what is
taken, but for the bounds of a deficit.
"""

from pool.routing.choose import NS
from pool.routing.index import Decision


def charge(decision: Decision, cost: float) -> None:
    """The job was given to the chosen one; `cost` in virtual tokens."""
    step_ns = round(cost / decision.capacity * NS)
    for cell in decision.cells:
        cell.clock_ns += step_ns
    for place in decision.left_out:
        place.shift(-step_ns)
    for place in decision.added:
        place.shift(step_ns)
    decision.place.shift(-round(cost / decision.place.capacity * NS))


def settle(decision: Decision, change: float) -> None:
    """It cost so much more (or less) than was charged."""
    place = decision.place
    rest = change * (1 - place.capacity / decision.capacity)  # its own part of the difference is credited and debited
    inside = place.cell in decision.cells
    others = sum(cell.capacity for cell in decision.cells) - (place.capacity if inside else 0.0)
    if others <= 1e-9 * place.capacity:
        return  # nobody is there to be credited
    step_ns = round(rest / others * NS)
    for cell in decision.cells:
        cell.clock_ns += step_ns
    place.shift(-round(rest / place.capacity * NS) - (step_ns if inside else 0))
