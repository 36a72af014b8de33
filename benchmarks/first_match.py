"""How many calls does the first match of many HubSpot deals take?

    python benchmarks/first_match.py --deals 10000

Plays the first run's matching, which writes nothing, in one process and in virtual time, with a HubSpot that has so
many deals and a Nexudus that has as many cards, each the counterpart of one. (A deal without a counterpart is read once
more, by its id, before its card is made: that is the first run's copying.) Prints what HubSpot was asked for, from the
start of the program on, and exits 1 above `--most` calls.
"""

import argparse
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path

import structlog

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "simulation"), str(TESTS)]


def asked(deals: int) -> Counter[str]:
    """The calls to HubSpot, by method and path."""
    from sim_world import SimWorld

    from nexudus_sync.connectors.http import template
    from nexudus_sync.engine.cycle import Options
    from nexudus_sync.engine.rehearse.rehearse import rehearse
    from nexudus_sync.mapping import Side

    with tempfile.TemporaryDirectory() as folder:
        world = SimWorld(1, Path(folder), nexudus=deals, crm=deals, shared=deals, system="hubspot")

        async def match() -> None:
            await world.engine.start()
            await rehearse(world.connection, Options())

        try:
            world.clock.run(match())
            return Counter(f"{one.method} {template(one.path)}" for one in world.double(Side.CRM).log)
        finally:
            world.close()


def main() -> int:
    """Count, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, default=10_000, metavar="N", help="in the connection's pipeline")
    parser.add_argument("--most", type=int, default=210, metavar="N", help="calls that it may take")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = asked(options.deals)
    for call, number in found.most_common():
        print(f"{number:>6}  {call}")
    print(f"{found.total():>6}  in all, for {options.deals:,} deals")
    return int(found.total() > options.most)


if __name__ == "__main__":
    sys.exit(main())
