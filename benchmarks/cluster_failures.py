"""Workers on a real PostgreSQL, killed, stopped and cut off again and again: is anything lost or doubled?

    python benchmarks/cluster_failures.py [--seed 1] [--tenants 4] [--workers 4] [--kills 100] [--stops 60]
        [--restarts 30] [--cuts 30] [--fulls 5] [--plant no-fencing|no-lock] [--keep FOLDER]

A few tenants with a CRM each, workers whose clocks are minutes apart, and people at work. In random order, workers are
killed (kill -9) and others started in their place; stopped (SIGSTOP) shortly or until others have taken over, and woken
up; the server is restarted, orderly or as if its machine had stopped; all connections to it are cut; and its disk is
full for some seconds (which takes root, to make a small disk). Then everything comes to rest, and the checker reads
every tenant: the invariants of docs/reliability.md.

Leases, deadlines and signs of life last a tenth of what they do otherwise, so that a stop of ten seconds is one that
others take over from. `--plant` plants a bug, which the checker has to find. Prints what happened; exits 1 if something
is not as it should be.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "simulation"), str(ROOT / "tests")]

import structlog  # noqa: E402
from cluster_worker import PLANTS  # noqa: E402
from sim_cluster import Cluster, a_server  # noqa: E402

EVENTS = {"kills": "kill", "stops": "stop", "restarts": "restart", "cuts": "cut", "fulls": "fill"}
LOGGED = ("lease.lost", "job.taken_up_again", "store.away", "cycle.done", "cycle.failed", "write.done")
"""Events of the workers' logs that are counted."""
ERRORS = 50


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tenants", type=int, default=4)
    parser.add_argument("--workers", type=int, default=4)
    for name, count in {"kills": 100, "stops": 60, "restarts": 30, "cuts": 30, "fulls": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="a bug")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the files and the workers' log are kept")
    return parser.parse_args()


def logged(folder: Path) -> Counter[str]:
    """What the workers told, by event."""
    lines = (folder / "workers.log").read_text(encoding="utf-8", errors="replace").splitlines()
    return Counter({name: sum(f'"event":"{name}"' in line for line in lines) for name in LOGGED})


def play(options: argparse.Namespace, folder: Path) -> list[str]:
    """Everything, from the first runs to the check; what is not as it should be."""
    events = {event: getattr(options, name) for name, event in EVENTS.items()}
    began = time.monotonic()
    with a_server(small_disk=options.fulls > 0) as server:
        one = Cluster(
            folder, server, options.seed, tenants=options.tenants, workers=options.workers, plant=options.plant
        )
        try:
            one.first_runs()
            one.trouble(events)
            one.rest()
            one.end()
            one.check()
        finally:
            one.close()
    told = {**one.outcome.events, **logged(folder), "seconds": round(time.monotonic() - began)}
    print(", ".join(f"{name} {count:,}" for name, count in told.items()))
    return one.outcome.troubles


def main() -> int:
    """Play, and tell."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(ERRORS))
    options = parse()
    if options.fulls and os.geteuid() != 0:
        print("without root there is no small disk to be filled; --fulls 0 leaves that out", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        troubles = play(options, folder)
    for one in troubles:
        print(f"  {one}")
    print(f"{len(troubles)} violations")
    return int(bool(troubles))


if __name__ == "__main__":
    sys.exit(main())
