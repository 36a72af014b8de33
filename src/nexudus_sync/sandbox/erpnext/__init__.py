"""A double of ERPNext (versions 15 and 16) behind its Frappe REST API, as two recorded servers answered."""

from nexudus_sync.sandbox.erpnext.double import ERPNextDouble as ERPNextDouble
from nexudus_sync.sandbox.erpnext.errors import FrappeError as FrappeError
from nexudus_sync.sandbox.erpnext.options import ERPNextOptions as ERPNextOptions
from nexudus_sync.sandbox.erpnext.options import RateLimit as RateLimit
from nexudus_sync.sandbox.erpnext.permissions import User as User
