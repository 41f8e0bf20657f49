"""What the server counts, as Prometheus reads it.

Counts requests, answers and what is held; of no patient and no file. The only home of prometheus_client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

from covidct.types import ModelUsed, Result

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)


class Counters:
    """The counters of one server."""

    def __init__(self, *, model: ModelUsed, gauges: dict[str, tuple[str, Callable[[], float]]]):
        """`gauges` are read whenever somebody asks: by name, what they say and from where."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "covidct_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "covidct_request_seconds",
            "Seconds from the first byte to the last.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._results = Counter(
            "covidct_results",
            "Results by kind, and by decision or, without one, by status.",
            ("kind", "outcome"),
            registry=self._registry,
        )
        Info("covidct_model", "What answers.", registry=self._registry).info(
            {"model": model.name, "precision": model.precision}
        )
        for name, (text, read) in gauges.items():
            Gauge(name, text, registry=self._registry).set_function(read)

    def count_request(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """Count one answered request; `route` is the pattern, without ids."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_results(self, results: Iterable[Result]) -> None:
        """Count results as they are given out."""
        for result in results:
            self._results.labels(result.kind.value, (result.decision or result.status).value).inc()

    def to_text(self) -> bytes:
        """All of them in the text format."""
        return generate_latest(self._registry)
