"""What nobody knows for sure of HubSpot, or what differs between accounts: each answer a switch of the double."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class HubSpotOptions:
    """The switches; each stands at the more likely answer.

    `search_lag`: seconds until a change shows in the search. `touch_after`: seconds after a create at which HubSpot
    moves the stamp by itself (0: never). `stage_sets_closedate`: a stage written by the API sets the close date as one
    set by a person does; `sent_closedate_stays`: a close date sent in the same call survives that. `foreign_stage`:
    what becomes of a stage that is not the pipeline's. `not_found`: the form of a 404. `merged_answers`: what a read by
    a merged id is answered with; `merge_keeps_primary`: the survivor keeps the primary's id. `second_delete`: the
    status of deleting what is deleted. `finds_second_email`: contacts are found by an additional address too.
    `associations_move_stamp`: an association is a change of the deal. `says_source`: the history names the app behind a
    write of a service key. `history_depth`: versions kept of a property. `missing_in_batch`: 207, or just left out.
    `blank`: a property without value is null, or left out. `unique_conflict`: the status when a unique value is taken.
    `fields_in_errors`: errors name the properties in `context`, else only in the message. `account_scope`: what a key
    needs to read the account's details ("": nothing).
    """

    search_lag: float = 0.0
    touch_after: float = 0.0
    stage_sets_closedate: bool = True
    sent_closedate_stays: bool = True
    foreign_stage: Literal["refuse", "accept"] = "refuse"
    not_found: Literal["html", "json"] = "html"
    merged_answers: Literal["survivor", "not-found"] = "survivor"
    merge_keeps_primary: bool = False
    second_delete: Literal[204, 404] = 204
    finds_second_email: bool = False
    associations_move_stamp: bool = False
    says_source: bool = True
    keys_are_users: bool = False
    """The history names the user who made a service key as the author of its writes."""
    closing_by: Literal["writer", "hubspot"] = "writer"
    """Whose change the close date is that HubSpot sets when a deal closes."""
    names_editor: bool = True
    """A deal says which user edited it last."""
    apps_clear_editor: bool = False
    """An app's change takes that away."""
    history_depth: int = 45
    missing_in_batch: Literal["207", "left-out"] = "207"
    blank: Literal["null", "missing"] = "null"
    unique_conflict: Literal[400, 409] = 400
    fields_in_errors: bool = True
    account_scope: Literal["", "oauth"] = ""
    page_size: int = 100
    """The most rows of a listing; the real number is 100, tests take less."""
    search_size: int = 200
    """The most rows of a search; the real number is 200."""
