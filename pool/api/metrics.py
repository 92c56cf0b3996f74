"""Figures for Prometheus; every name begins with iamine_."""

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pool.api.ports import Counters, HubView

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class _HubFigures(Collector):
    """The hub's figures, read when they are asked for."""

    def __init__(self, hub: HubView, counters: Counters) -> None:
        self._hub = hub
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("iamine_workers", "Workers connected now.", value=self._hub.workers)
        yield GaugeMetricFamily("iamine_resting_workers", "Workers whose owners paused them.", value=self._hub.resting)
        yield GaugeMetricFamily("iamine_running_jobs", "Jobs that workers are at now.", value=self._hub.running)
        yield GaugeMetricFamily("iamine_queued_jobs", "Jobs that wait for a worker now.", value=self._hub.queued)
        offered = sum(1 for card in self._hub.models() if card.workers)
        yield GaugeMetricFamily("iamine_models", "Models offered by at least one worker now.", value=offered)
        yield GaugeMetricFamily("iamine_loop_tasks", "Tasks of the event loop now.", value=_tasks())
        for name, value in self._counters().items():
            yield CounterMetricFamily(f"iamine_hub_{name}", "Counted by the hub.", value=value)


def _tasks() -> int:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # asked for outside of an event loop
        return 0


class Metrics:
    """The counters of one pool, in a registry of their own."""

    def __init__(self, hub: HubView, counters: Counters) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody asks for
        self._registry = CollectorRegistry()
        self._registry.register(_HubFigures(hub, counters))
        self._children: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        registry = self._registry
        self._responses = Counter("iamine_http_responses", "Responses begun.", ("route", "status"), registry=registry)
        self._answers = Counter("iamine_answers", "Answers by how they ended.", ("route", "end"), registry=registry)
        self._tokens = Counter("iamine_tokens", "Tokens read and written.", ("kind",), registry=registry)
        self._running = Gauge("iamine_answers_running", "Answers being made now.", registry=registry)
        self._first = Histogram("iamine_first_token_seconds", "Time to the first token.", buckets=_SECONDS, registry=registry)
        self._whole = Histogram("iamine_answer_seconds", "Time to the whole answer.", buckets=_SECONDS, registry=registry)

    def on_response(self, route: str, status: int) -> None:
        """A response was begun."""
        self._child(self._responses, route, str(status)).inc()

    def on_begin(self) -> None:
        """An answer is being made."""
        self._running.inc()

    def on_first(self, seconds: float) -> None:
        """An answer's first token is there."""
        self._first.observe(seconds)

    def on_end(self, route: str, end: str, seconds: float) -> None:
        """An answer is over: complete, failed or cut."""
        self._running.dec()
        self._child(self._answers, route, end).inc()
        if end == "complete":
            self._whole.observe(seconds)

    def on_tokens(self, prompt: int, completion: int) -> None:
        """Tokens of a whole answer."""
        self._child(self._tokens, "prompt").inc(prompt)
        self._child(self._tokens, "completion").inc(completion)

    def _child(self, counter: Counter, *labels: str) -> Counter:
        """The counter of these labels, looked up once: routes, ends and statuses are few."""
        child = self._children.get((counter, labels))
        if child is None:
            child = self._children[counter, labels] = counter.labels(*labels)
        return child

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        return generate_latest(self._registry)
