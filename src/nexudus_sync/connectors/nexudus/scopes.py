"""Names in a connection that Nexudus does not have: a location, a board, a stage, a time zone.

The same lines appear in `check` and stop the verbs that write, so that the two agree.
"""

from collections.abc import Iterable

from nexudus_sync.connectors.base import Check, Scope
from nexudus_sync.connectors.nexudus.directory import Board, Directory
from nexudus_sync.errors import NotFound, RoleMissing


async def problems(directory: Directory, scope: Scope, *, first: bool) -> list[Check]:
    """What is named wrongly. `first`: nothing is linked yet, so that the scope itself has not proven itself either."""
    await directory.refresh()
    boards = boards_of(directory, scope)
    if not first:
        return unknown_stages(boards, scope) if boards else []
    if not boards:
        return [nowhere(scope)]
    found = [home(directory, scope, boards), *unknown_stages(boards, scope)]
    business_id = directory.business_of(scope)
    if scope.time_zone is None and business_id is not None and not await _tells_zone(directory, business_id):
        found.append(no_zone(business_id))
    return [line for line in found if line.exit_code == 2]


async def _tells_zone(directory: Directory, business_id: int) -> bool:
    try:
        return await directory.time_zone(business_id) is not None
    except (RoleMissing, NotFound):
        return False


def boards_of(directory: Directory, scope: Scope) -> list[Board]:
    """The boards whose cards take part."""
    if scope.board_id is not None:
        return [board for board in directory.boards() if board.id == scope.board_id]
    return [board for board in directory.boards() if board.business_id == scope.business_id]


def nowhere(scope: Scope) -> Check:
    """The line for a scope without a single board."""
    what = f"board {scope.board_id}" if scope.board_id is not None else f"location {scope.business_id} with a board"
    return Check("scope", "fail", f"this login sees no {what}", exit_code=2, remedy="correct scope")


def home(directory: Directory, scope: Scope, boards: Iterable[Board]) -> Check:
    """The line about the board that new cards go to."""
    found = directory.home(scope)
    if found is None:
        choice = ", ".join(f"{board.id} ({board.name})" for board in boards if not board.archived) or "all are archived"
        remedy = f"set create_board to the board new cards go to: {choice}"
        return Check("create_board", "fail", "there is not one board for new cards", exit_code=2, remedy=remedy)
    if not found.stages:
        return Check("create_board", "fail", f"board {found.name} has no stages to create cards in", remedy="add one")
    return Check("create_board", "ok", f"new cards go to {found.name}, stage {found.stages[0].name}")


def unknown_stages(boards: Iterable[Board], scope: Scope) -> list[Check]:
    """A line for each stage of `allow_stages` that no board has."""
    known = {stage.name.strip().casefold() for board in boards for stage in board.stages}
    return [
        Check(
            "allow_stages",
            "fail",
            f'no board of the scope has a stage "{name}"',
            exit_code=2,
            remedy="correct or remove it",
        )
        for name in sorted(scope.allow_stages)
        if name.strip().casefold() not in known
    ]


def no_zone(business_id: int) -> Check:
    """The line about a location without a known time zone."""
    detail, remedy = f"location {business_id} does not say its time zone", 'set time_zone, e.g. "Europe/London"'
    return Check("time zone", "fail", detail, exit_code=2, remedy=remedy)
