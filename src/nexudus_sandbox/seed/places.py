"""Where the opportunities live: Nexudus's locations, boards, stages and users."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from nexudus_sandbox.nexudus import NexudusDouble

SYNC_USER = "sync@example.com"
STAGES = ("New lead", "Tour booked", "Proposal sent", "Negotiation", "Won", "Lost")
"""The stages that both sides know by the same name."""
WELCOME, ARCHIVE = "Welcome mail", "Archive & delete"
"""Stages that act, and have no counterpart in the CRM."""
CRM_ONLY_STAGE = "Prospecting"
USERS = (
    ("maria.nunez@example.com", "María Núñez"),
    ("tom.oreilly@example.com", "Tom O’Reilly"),
    ("astrid.lindqvist@example.com", "Astrid Lindqvist"),
    ("kofi.boateng@example.com", "Kofi Boateng"),
)
"""The salespeople, known to both sides."""


@dataclass(frozen=True, slots=True)
class Place:
    """A location, the board its opportunities are on, and the CRM's company for it."""

    business_id: int
    board_id: int
    currency: str
    zone: ZoneInfo
    company: str


@dataclass(frozen=True, slots=True)
class Places:
    """All locations; `owners` is e-mail → Nexudus user id; `old_board` is London's archived one."""

    london: Place
    madrid: Place
    new_york: Place
    owners: dict[str, int]
    old_board: int
    opportunity_types: tuple[int, ...]


def add_places(nexudus: NexudusDouble) -> Places:
    """Furnish Nexudus."""
    directory = nexudus.directory
    london = _place(nexudus, 1001, "Example London", "GBP", "Europe/London", "Example Corp")
    madrid = _place(nexudus, 1002, "Example Madrid", "EUR", "Europe/Madrid", "Example Iberia")
    new_york = _place(nexudus, 1003, "Example New York", "USD", "America/New_York", "Example Americas")
    directory.add_stage(london.board_id, WELCOME, CannedResponseId=71)
    directory.add_stage(london.board_id, ARCHIVE, DeleteAccount=True)
    old_board = directory.add_board(london.business_id, "Sales 2019", archived=True)
    second_board = directory.add_board(new_york.business_id, "Events")
    _add_stages(nexudus, old_board)
    _add_stages(nexudus, second_board)
    owners = {email: directory.add_user(email, name) for email, name in USERS}
    directory.add_user(SYNC_USER, "Nexudus Sync")
    types = tuple(directory.put("opportunity_types", {"Name": name}) for name in ("Membership", "Événement"))
    return Places(london, madrid, new_york, owners, old_board, types)


def _place(nexudus: NexudusDouble, row_id: int, name: str, currency: str, zone: str, company: str) -> Place:
    nexudus.directory.add_business(name, currency=currency, time_zone=zone, row_id=row_id)
    board = nexudus.directory.add_board(row_id, "Sales")
    _add_stages(nexudus, board)
    return Place(row_id, board, currency, ZoneInfo(zone), company)


def _add_stages(nexudus: NexudusDouble, board_id: int) -> None:
    for name in STAGES:
        nexudus.directory.add_stage(board_id, name, WinOpportunity=name == "Won", LoseOpportunity=name == "Lost")
