"""From what a cycle saw to what it will do: with a pair's fields, with a pair as a whole, with an unlinked record.

Pure: plain objects in, plain objects out, so that `plan` prints exactly what `sync` does.
"""

from nexudus_sync.plan.fields import FieldPlan as FieldPlan
from nexudus_sync.plan.fields import agreed_snapshot as agreed_snapshot
from nexudus_sync.plan.fields import plan_fields as plan_fields
from nexudus_sync.plan.fields import unsaid as unsaid
from nexudus_sync.plan.holds import ASKED as ASKED
from nexudus_sync.plan.holds import UNSTABLE as UNSTABLE
from nexudus_sync.plan.holds import Hold as Hold
from nexudus_sync.plan.holds import Holds as Holds
from nexudus_sync.plan.holds import differing_currencies as differing_currencies
from nexudus_sync.plan.matches import BY_EMAIL as BY_EMAIL
from nexudus_sync.plan.matches import Candidate as Candidate
from nexudus_sync.plan.matches import UnlinkedAction as UnlinkedAction
from nexudus_sync.plan.matches import UnlinkedPlan as UnlinkedPlan
from nexudus_sync.plan.matches import plan_unlinked as plan_unlinked
from nexudus_sync.plan.pairs import PairAction as PairAction
from nexudus_sync.plan.pairs import PairPlan as PairPlan
from nexudus_sync.plan.pairs import Presence as Presence
from nexudus_sync.plan.pairs import plan_pair as plan_pair
