"""What `init` asks about Nexudus: the login, the location or board, and what Nexudus does not tell by itself."""

from contextlib import suppress

from nexudus_sync.connectors.base import Scope
from nexudus_sync.connectors.nexudus import scopes
from nexudus_sync.connectors.nexudus.api import NexudusApi
from nexudus_sync.connectors.nexudus.directory import Board, Directory
from nexudus_sync.connectors.setup import Choice, Further, Question
from nexudus_sync.errors import NotFound, RoleMissing

QUESTIONS = (
    Question("base_url", "The address of Nexudus's API, which ends in /api"),
    Question("username", "The e-mail address of the Nexudus user that the sync works as"),
    Question("password", "Its password", hidden=True),
    Question("totp_secret", "The key of its authenticator app (Enter: it has none)", hidden=True, optional=True),
)


async def choices(api: NexudusApi, directory: Directory) -> list[Choice]:
    """Each location that has a board in use and, where there are several, each of its boards."""
    await directory.refresh()
    names: dict[int, str] = {}
    with suppress(RoleMissing):
        names = {row["Id"]: str(row.get("Name") or row["Id"]) for row in await api.locations()}
    by_location: dict[int, list[Board]] = {}
    for board in directory.boards():
        if not board.archived:
            by_location.setdefault(board.business_id, []).append(board)
    found = []
    for business_id, boards in sorted(by_location.items()):
        name = names.get(business_id, f"Location {business_id}")
        told = ", ".join(board.name for board in boards)
        label = f"{name}, location {business_id} (board{'s' if len(boards) > 1 else ''}: {told})"
        found.append(Choice(label, {"scope": {"business_id": business_id}}, name))
        for board in boards if len(boards) > 1 else ():
            label = f"{name}, only the board {board.name}, {board.id}"
            found.append(Choice(label, {"scope": {"board_id": board.id}}, f"{name} {board.name}"))
    return found


async def further(directory: Directory, scope: Scope) -> list[Further]:
    """The board for new cards, where a location has several; the time zone, where the location does not say it."""
    await directory.refresh()
    found = []
    boards = [board for board in scopes.boards_of(directory, scope) if not board.archived]
    if directory.home(scope) is None and boards:
        options = tuple(Choice(f"{board.name}, {board.id}", {"create_board": board.id}) for board in boards)
        found.append(Further("create_board", "The board for new cards that come from the CRM", options))
    business_id = directory.business_of(scope)
    zone = scope.time_zone
    if zone is None and business_id is not None:
        with suppress(RoleMissing, NotFound):
            zone = await directory.time_zone(business_id)
        if zone is None:
            found.append(Further("time_zone", 'The time zone of the location, like "Europe/London"'))
    return found


async def stages(directory: Directory, scope: Scope) -> tuple[str, ...]:
    """The stages of the scope's boards that are in use, each name once."""
    await directory.refresh()
    boards = [board for board in scopes.boards_of(directory, scope) if not board.archived]
    return tuple(dict.fromkeys(stage.name.strip() for board in boards for stage in board.stages))
