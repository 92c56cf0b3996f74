"""Figures for Prometheus; every name begins with iamine_.

Counted in plain numbers and put into Prometheus' form when they are asked for: its own counters take locks and look labels
up, which was a tenth of a request's calls (November 2026).
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pool.api.ports import Counters, HubView

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class _Histogram:
    """How many took how long; a bucket holds those up to its bound, the last one the rest."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_SECONDS) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(_SECONDS, seconds)] += 1
        self._sum_s += seconds

    def family(self, name: str, about: str) -> Metric:
        buckets, total = [], 0
        for bound, count in zip([*map(float, _SECONDS), "+Inf"], self._counts, strict=True):
            total += count
            buckets.append((str(bound), float(total)))
        return HistogramMetricFamily(name, about, buckets=buckets, sum_value=self._sum_s)


class Metrics(Collector):
    """The counters of one pool, in a registry of their own; the hub's figures are read when they are asked for."""

    def __init__(self, hub: HubView, counters: Counters) -> None:
        self._hub = hub
        self._counters = counters
        self._responses: Counter[tuple[str, ...]] = Counter()
        self._answers: Counter[tuple[str, ...]] = Counter()
        self._tokens: Counter[tuple[str, ...]] = Counter()
        self._running = 0
        self._first, self._whole = _Histogram(), _Histogram()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def on_response(self, route: str, status: int) -> None:
        """A response was begun."""
        self._responses[route, str(status)] += 1

    def on_begin(self) -> None:
        """An answer is being made."""
        self._running += 1

    def on_first(self, seconds: float) -> None:
        """An answer's first token is there."""
        self._first.observe(seconds)

    def on_end(self, route: str, end: str, seconds: float) -> None:
        """An answer is over: complete, failed or cut."""
        self._running -= 1
        self._answers[route, end] += 1
        if end == "complete":
            self._whole.observe(seconds)

    def on_tokens(self, prompt: int, completion: int) -> None:
        """Tokens of a whole answer."""
        self._tokens["prompt",] += prompt
        self._tokens["completion",] += completion

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """All of them, as Prometheus' library wants them."""
        yield from self._of_the_hub()
        yield _counted("iamine_http_responses", "Responses begun.", ("route", "status"), self._responses)
        yield _counted("iamine_answers", "Answers by how they ended.", ("route", "end"), self._answers)
        yield _counted("iamine_tokens", "Tokens read and written.", ("kind",), self._tokens)
        yield GaugeMetricFamily("iamine_answers_running", "Answers being made now.", value=self._running)
        yield self._first.family("iamine_first_token_seconds", "Time to the first token.")
        yield self._whole.family("iamine_answer_seconds", "Time to the whole answer.")

    def _of_the_hub(self) -> Iterable[Metric]:
        hub = self._hub
        yield GaugeMetricFamily("iamine_workers", "Workers connected now.", value=hub.workers)
        yield GaugeMetricFamily("iamine_resting_workers", "Workers whose owners paused them.", value=hub.resting)
        yield GaugeMetricFamily("iamine_running_jobs", "Jobs that workers are at now.", value=hub.running)
        yield GaugeMetricFamily("iamine_queued_jobs", "Jobs that wait for a worker now.", value=hub.queued)
        offered = sum(1 for card in hub.models() if card.workers)
        yield GaugeMetricFamily("iamine_models", "Models offered by at least one worker now.", value=offered)
        yield GaugeMetricFamily("iamine_loop_tasks", "Tasks of the event loop now.", value=_tasks())
        yield from self._demand()
        for name, value in self._counters().items():
            yield CounterMetricFamily(f"iamine_hub_{name}", "Counted by the hub.", value=value)

    def _demand(self) -> Iterable[Metric]:
        """What is wanted, offered and lacking of each model, in virtual tokens a second; there are MOST_MODELS at most."""
        figures, labels = self._hub.demand().models, ("model", "tier")
        wanted = GaugeMetricFamily("iamine_demand_wanted_tps", "Work asked for of late.", labels=labels)
        offered = GaugeMetricFamily("iamine_demand_offered_tps", "Work that the workers can give.", labels=labels)
        lack = GaugeMetricFamily("iamine_demand_lack_tps", "Work that has been missing for a while.", labels=labels)
        for one in figures:
            for family, value in ((wanted, one.wanted_tps), (offered, one.offered_tps), (lack, one.lack_tps)):
                family.add_metric([one.model, one.tier], value)
        yield from (wanted, offered, lack)


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # asked for outside of an event loop
        return 0


def _counted(name: str, about: str, labels: tuple[str, ...], counts: "Counter[tuple[str, ...]]") -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
