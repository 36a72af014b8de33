"""What things are called for people."""

CHECKS = {
    "GetPut": "written back unchanged",
    "PutGet": "read back as written",
    "NoClobber": "nothing else changed",
    "classes": "tables that overlap",
    "coverage": "value without counterpart",
}
"""What a check of a mapping is called for people."""
