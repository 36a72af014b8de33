"""A double of ERPNext (versions 15 and 16) behind its Frappe REST API, as two recorded servers answered."""

from nexudus_sandbox.erpnext.double import ERPNextDouble as ERPNextDouble
from nexudus_sandbox.erpnext.errors import FrappeError as FrappeError
from nexudus_sandbox.erpnext.options import ERPNextOptions as ERPNextOptions
from nexudus_sandbox.erpnext.options import RateLimit as RateLimit
from nexudus_sandbox.erpnext.permissions import User as User
