"""Makes PostgreSQL's columns hold what SQLite's do, so that one set of migrations serves both.

Text is compared and ordered by its bytes, whatever language the database was created for, and only ASCII letters have
upper and lower case. Numbers have 64 bits.
"""

from itertools import groupby

from sqlalchemy import Connection, text

# Procrastinate's tables may be beside ours, and are its own affair.
_COLUMNS = """
SELECT quote_ident(c.relname), quote_ident(a.attname), a.atttypid = 'integer'::regtype,
    format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    AND NOT starts_with(c.relname::text, 'procrastinate_')
    AND a.attnum > 0 AND NOT a.attisdropped
    AND (l.collname <> 'C' OR a.atttypid = 'integer'::regtype)
ORDER BY 1, a.attnum
"""
_SEQUENCES = """
SELECT quote_ident(sequencename) FROM pg_sequences
WHERE schemaname = current_schema() AND data_type = 'integer'::regtype
    AND NOT starts_with(sequencename::text, 'procrastinate_')
"""


def make_alike(connection: Connection) -> None:
    """Give every column of the store its collation and size; one that has them already is not touched."""
    found = connection.execute(text(_COLUMNS)).all()
    for table, columns in groupby(found, key=lambda row: row[0]):
        kinds = {name: "bigint" if is_number else f'{kind} COLLATE "C"' for _, name, is_number, kind in columns}
        changes = (f"ALTER COLUMN {name} TYPE {kind}" for name, kind in kinds.items())
        connection.execute(text(f"ALTER TABLE {table} {', '.join(changes)}"))
    for (sequence,) in connection.execute(text(_SEQUENCES)).all():
        connection.execute(text(f"ALTER SEQUENCE {sequence} AS bigint"))
