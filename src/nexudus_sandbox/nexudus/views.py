"""How an opportunity is shown: its own fields, and the names behind its ids."""

from nexudus_sandbox.double import Row
from nexudus_sandbox.nexudus.directory import Directory
from nexudus_sandbox.nexudus.options import NexudusOptions
from nexudus_sandbox.nexudus.shape import NOT_LISTED
from nexudus_sync import codec


class Views:
    """Whole records and list rows, remembered until the card or the directory changes."""

    def __init__(self, directory: Directory, options: NexudusOptions) -> None:
        self._directory, self._options = directory, options
        self._version = directory.version
        self._whole: dict[int, tuple[Row, Row]] = {}
        self._listed: dict[int, tuple[Row, str]] = {}

    def whole(self, card: Row) -> Row:
        """The record as a read by id shows it."""
        if self._version != self._directory.version:
            self._version = self._directory.version
            self._whole.clear()
            self._listed.clear()
        known = self._whole.get(card["Id"])
        if known is None or known[0] is not card:
            known = self._whole[card["Id"]] = (card, {**card, **self._stage(card), **self._people(card)})
        return known[1]

    def listed(self, view: Row) -> str:
        """The JSON of a list row, from the whole record."""
        known = self._listed.get(view["Id"])
        if known is None or known[0] is not view:
            if self._options.partial_rows == "null":
                row = {**view, **dict.fromkeys(NOT_LISTED)}
            else:
                hidden = {*NOT_LISTED, *self._options.undocumented}
                row = {key: value for key, value in view.items() if key not in hidden}
            known = self._listed[view["Id"]] = (view, codec.dumps(row))
        return known[1]

    def _stage(self, card: Row) -> Row:
        stage = self._directory.stages.get(card["CrmBoardColumnId"], {})
        board = self._directory.boards.get(stage.get("CrmBoardId", 0), {})
        business = self._directory.businesses.get(board.get("BusinessId", 0), {})
        return {
            "CrmBoardColumnName": stage.get("Name"),
            "CrmBoardColumnCrmBoardId": board.get("Id"),
            "CrmBoardColumnCrmBoardName": board.get("Name"),
            "CrmBoardColumnCrmBoardBusinessId": business.get("Id"),
            "CrmBoardColumnCrmBoardBusinessName": business.get("Name"),
            "CrmBoardColumnCrmBoardBusinessCurrencyId": business.get("CurrencyId"),
            "CrmBoardColumnCrmBoardBusinessCurrencyCode": business.get("CurrencyCode"),
        }

    def _people(self, card: Row) -> Row:
        coworker = self._directory.coworkers.get(card["CoworkerId"], {})
        kind = self._directory.opportunity_types.get(card["OpportunityTypeId"] or 0, {})
        responsible = self._directory.users.get(card["ResponsibleId"] or 0, {})
        return {
            "CoworkerFullName": coworker.get("FullName"),
            "CoworkerCoworkerType": coworker.get("CoworkerType"),
            "CoworkerCompanyName": coworker.get("CompanyName"),
            "CoworkerEmail": coworker.get("Email"),
            "TeamName": None,
            "TeamDescription": None,
            "TeamProfileWebsite": None,
            "OpportunityTypeName": kind.get("Name"),
            "ResponsibleFullName": responsible.get("FullName"),
            "ToStringText": card["Name"] or f"CrmOpportunity {card['Id']}",
        }
