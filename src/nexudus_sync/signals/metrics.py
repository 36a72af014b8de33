"""Figures for Prometheus. What happens is counted as it happens, in this process; how things stand is read when asked.

Nothing here names a record or says a value of one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.config.settings import tenant_of
from nexudus_sync.signals.health import Verdict, judge
from nexudus_sync.store import Store
from nexudus_sync.store.waiting import by_kind

_P = "nexudus_sync_"
_CALLS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0)
_CYCLES = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""The upper bounds, in seconds, of what calls and cycles are sorted into."""
RESULTS = ("done", "failed", "braked")
"""How a cycle ends."""


class Metrics:
    """The figures of one `run`, in a registry of their own."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._standing = _Standing(settings, store, clock)
        self.registry.register(self._standing)
        own = self.registry
        cycles = ("connection", "result")
        self._cycles = Counter(f"{_P}cycles", "Cycles that ended.", cycles, registry=own)
        self._seconds = Histogram(f"{_P}cycle_seconds", "How long cycles took.", cycles, buckets=_CYCLES, registry=own)
        self._writes = Counter(
            f"{_P}writes", "Writes that a system confirmed.", ("connection", "side", "kind"), registry=own
        )
        what = ("system", "kind")
        self._calls = Histogram(
            f"{_P}call_seconds", "How long a system took to answer a call.", what, buckets=_CALLS, registry=own
        )
        window = ("system", "limit")
        self._left = Gauge(f"{_P}budget_left", "Calls that are left of a limit.", window, registry=own)
        self._limit = Gauge(f"{_P}budget_limit", "The limit as configured.", window, registry=own)
        self._begin(settings)

    @property
    def settings(self) -> Settings:
        """The settings whose connections are judged; they may be replaced."""
        return self._standing.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._standing.settings = settings
        self._begin(settings)

    def _begin(self, settings: Settings) -> None:
        for connection in settings.connections:  # a rate needs a first zero
            for result in RESULTS:
                self._cycles.labels(connection.name, result)

    def cycle(self, connection: str, result: str, seconds: float, writes: Mapping[str, int]) -> None:
        """A cycle ended; `writes` are by "side kind", as a report has them."""
        self._cycles.labels(connection, result).inc()
        self._seconds.labels(connection, result).observe(seconds)
        for written, count in writes.items():
            side, _, kind = written.partition(" ")
            self._writes.labels(connection, side, kind).inc(count)

    def call(self, system: str, kind: str, seconds: float) -> None:
        """A system answered a call."""
        self._calls.labels(system, kind).observe(seconds)

    def budget(self, system: str, left: Mapping[str, tuple[int, int]]) -> None:
        """How many calls are left of each limit, and the limit."""
        for name, (count, limit) in left.items():
            self._left.labels(system, name).set(count)
            self._limit.labels(system, name).set(limit)

    def text(self, only: Collection[str] | None = None) -> bytes:
        """All of it in Prometheus's text format; in a fleet, of these tenants only. Raises StoreError."""
        return generate_latest(_ByTenant(self.registry, only) if self.settings.in_fleet else self.registry)


class _ByTenant(CollectorRegistry):
    """The figures of a fleet, each with the tenant that its connection or system is of.

    `only`: those of these tenants; what is of none of them (such as the process's memory) is then left out.
    """

    def __init__(self, registry: CollectorRegistry, only: Collection[str] | None) -> None:
        super().__init__()
        self._all, self._only = registry, only

    def collect(self) -> Iterator[Metric]:
        """The figures, each time as they are."""
        for metric in self._all.collect():
            samples = [_with_tenant(one) for one in metric.samples]
            kept = [one for one in samples if self._only is None or one.labels.get("tenant") in self._only]
            if kept or self._only is None:
                shown = Metric(metric.name, metric.documentation, metric.type, metric.unit)
                shown.samples = kept
                yield shown


def _with_tenant(sample: Sample) -> Sample:
    named = sample.labels.get("connection") or sample.labels.get("system")
    return sample._replace(labels={**sample.labels, "tenant": tenant_of(named)}) if named else sample


class _Standing(Collector):
    """How things stand, read from the store."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self.settings, self._store, self._clock = settings, store, clock

    def describe(self) -> Iterable[Metric]:
        """Nothing is read from the store when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One consistent look."""
        with self._store.read() as session:
            verdict = judge(session, self.settings, self._clock.now())
            waiting = by_kind(session, [one.name for one in verdict.connections])
        yield _gauge("healthy", "1 while all is well, as `health` says.", int(verdict.healthy))
        if self.settings.in_fleet:
            broken = GaugeMetricFamily(f"{_P}tenant_broken", "1: its configuration is broken.", labels=("tenant",))
            for tenant in self.settings.broken:
                broken.add_metric([tenant], 1)
            yield broken
        if verdict.beat is not None:
            yield _gauge("heartbeat_age_seconds", "Since the last sign of life.", _age(verdict, verdict.beat.at))
        yield from _by_connection(verdict)
        items = GaugeMetricFamily(f"{_P}waiting_by_kind", "The same by kind.", labels=("connection", "item", "kind"))
        for labels, count in sorted(waiting.items()):
            items.add_metric(labels, count)
        yield items


def _by_connection(verdict: Verdict) -> Iterator[Metric]:
    lag = GaugeMetricFamily(f"{_P}lag_seconds", "Since the last finished cycle.", labels=("connection",))
    waiting = GaugeMetricFamily(f"{_P}waiting", "Conflicts and failures that wait.", labels=("connection", "item"))
    brakes = GaugeMetricFamily(f"{_P}brake_set", "1 while this brake stops it.", labels=("connection", "brake"))
    problem = GaugeMetricFamily(f"{_P}problem", "1 while it has this problem.", labels=("connection", "problem"))
    for one in verdict.connections:
        if one.last_success is not None:
            lag.add_metric([one.name], _age(verdict, one.last_success))
        waiting.add_metric([one.name, "conflict"], one.conflicts)
        waiting.add_metric([one.name, "failure"], one.failures)
        if one.brake is not None:
            brakes.add_metric([one.name, one.brake], 1)
        for kind in ("brake", "failing", "stale"):
            problem.add_metric([one.name, kind], int(one.state == kind))
    yield from (lag, waiting, brakes, problem)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_P}{name}", text, value=value)


def _age(verdict: Verdict, since: datetime) -> float:
    return max(0.0, (verdict.at - since).total_seconds())
