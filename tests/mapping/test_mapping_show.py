from collections.abc import Callable

from nexudus_sync.mapping import Mapping, Sync
from nexudus_sync.mapping.show import Meaning, Row, rows

Pairing = Callable[[str, str], Mapping]


def test_the_table_shows_every_field_of_either_file_and_what_is_one_on_both_sides(mapping: Mapping) -> None:
    shown = {row.field: row for row in rows(mapping)}
    assert set(shown) == set(mapping.nexudus.lenses)
    assert shown["title"] == Row("title", "Name", "text", "title", "text", Sync.TWO_WAY, "newest", "park")
    assert shown["status"].values == (
        Meaning(("1", "0"), ("Open", "Quotation", "Replied")),
        Meaning(("2",), ("Converted",)),
        Meaning(("3",), ("Lost", "Closed")),
    )
    assert (shown["lost_reasons"].crm, shown["lost_reasons"].crm_type) == ("lost_reasons", "rows")


def test_fields_that_stay_where_they_are_come_last_without_a_place_on_the_other_side(mapping: Mapping) -> None:
    assert rows(mapping)[-3:] == [
        Row(name, path, "text", "", "", Sync.OFF, "newest", "park")
        for name, path in (("utm_term", "UtmTerm"), ("notes", "Notes"), ("lead_source", "LeadSource"))
    ]


def test_a_default_is_shown_and_a_field_of_the_crm_alone(paired: Pairing) -> None:
    table = '[fields.x.values]\n1 = ["Web", "Site"]\n9 = "Other"'
    crm = 'path = "v"\non_unmapped = { default = "Other" }\n[fields.y]\npath = "y"\nsync = "off"'
    travelling, staying = rows(paired(f'path = "V"\n{table}', crm))
    assert travelling.on_unmapped == "default: Other"
    assert travelling.values == (Meaning(("1",), ("Web", "Site")), Meaning(("9",), ("Other",)))
    assert staying == Row("y", "", "", "y", "text", Sync.OFF, "newest", "park")
