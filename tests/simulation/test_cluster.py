"""Workers in processes of their own on a real PostgreSQL, killed, stopped and cut off.

A small sample of `python benchmarks/cluster_failures.py`, which also fills the server's disk.
"""

from pathlib import Path

import pytest

from postgres_server import programs

pytest.importorskip("procrastinate", reason="the extra nexudus-sync[cluster] is not installed")

from sim_cluster import Cluster, a_server

pytestmark = [
    *(pytest.mark.postgres, pytest.mark.processes, pytest.mark.sockets),
    pytest.mark.skipif(programs() is None, reason="the programs of a PostgreSQL server are not installed"),
]
EVENTS = {"kill": 2, "stop": 2, "cut": 1, "restart": 1}


def test_workers_that_are_killed_and_stopped_lose_and_double_nothing(tmp_path: Path) -> None:
    with a_server(small_disk=False) as server:
        cluster = Cluster(tmp_path, server, seed=3, tenants=2, workers=2)
        try:
            cluster.first_runs()
            cluster.trouble(EVENTS)
            cluster.rest()
            cluster.end()
            cluster.check()
        finally:
            cluster.close()
    assert cluster.outcome.troubles == []
    assert cluster.outcome.events["kills"] == EVENTS["kill"]
    assert cluster.outcome.events["edits"] > sum(EVENTS.values())
