"""The verbs that go on until they are stopped: `run` for one machine, `worker` and `page` for many."""

from typing import Annotated

import typer

from nexudus_sync.cli.frame import end, guarded, root_of

_RUN = "Run"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    for verb in (run, worker, page):
        app.command(rich_help_panel=_RUN)(verb)


@guarded
def run(ctx: typer.Context) -> None:
    """Keep syncing until stopped (the daemon).

    Each connection is polled and reconciled as often as the configuration says. It survives errors and logs
    them; SIGTERM or Ctrl-C ends it cleanly within seconds.
    """
    from nexudus_sync.cli import sync as work

    end(work.run_daemon(root_of(ctx)))


@guarded
def worker(
    ctx: typer.Context,
    concurrency: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="How many connections it polls at the same time.")
    ] = 20,
    sweeps: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="How many connections it reconciles at the same time.")
    ] = 4,
    backfills: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="How many first runs it works on at the same time.")
    ] = 2,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Serve health and metrics on this port; 0: any free one. Default: no server."
        ),
    ] = None,
) -> None:
    """Share the work with other machines, until stopped.

    Any number of workers take turns on the connections of one store on PostgreSQL; docs/cluster.md tells when that is
    worth it. For one machine, use `run`. SIGTERM or Ctrl-C ends it cleanly within seconds.
    """
    from nexudus_sync.cli import worker as work

    end(work.worker(root_of(ctx), work.Wanted(concurrency, sweeps, backfills, port)))


@guarded
def page(ctx: typer.Context) -> None:
    r"""Serve the page alone, until stopped: for workers, which serve none.

    It runs no cycle. Where and for whom it is served is said in \[web]. `run` serves its own page.
    """
    from nexudus_sync.cli import page as work

    end(work.page(root_of(ctx)))
