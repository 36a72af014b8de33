import pytest

from nexudus_sync.mapping import Context, Mapping, OnUnmapped, Side, Table, Unmapped, pair, parse
from nexudus_sync.mapping.laws import check
from nexudus_sync.mapping.shipped import shipped

STAGES = Table(((101, "New lead"), (102, "Tour booked")))
NEXUDUS = Context(directories={"stage": STAGES})


@pytest.fixture(scope="module")
def erpnext() -> Mapping:
    return pair(
        parse(shipped("nexudus"), "nexudus.toml", Side.NEXUDUS), parse(shipped("erpnext"), "erpnext.toml", Side.CRM)
    )


def crm(**names: str) -> Context:
    """A site where these documents exist."""
    return Context(directories={path: Table(((name, name),)) for path, name in names.items()})


def test_the_shipped_mapping_keeps_the_laws(erpnext: Mapping) -> None:
    assert [finding for finding in check(erpnext) if finding.level != "ok"] == []


def test_it_carries_what_nexudus_and_erpnext_both_have(erpnext: Mapping) -> None:
    assert [field.name for field in erpnext.fields] == [
        "title",
        "status",
        "sales_stage",
        "lost_reasons",
        "opportunity_amount",
        "expected_closing",
        "opportunity_owner",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_content",
    ]
    assert {field.on_unmapped for field in erpnext.fields} == {OnUnmapped.PARK}


@pytest.mark.parametrize("name", ["utm_source", "utm_medium", "utm_campaign"])
def test_a_link_is_the_same_name_in_any_case_and_written_as_the_site_spells_it(erpnext: Mapping, name: str) -> None:
    field = erpnext.field(name)
    context = crm(**{name: "Google Ads"})
    assert field.same("google ads", "Google Ads")
    assert field.put(Side.CRM, "google ads", {name: "Google Ads"}, context) == {name: "Google Ads"}
    assert field.put(Side.CRM, "google ads", {}, context) == {name: "Google Ads"}
    path = field.nexudus.path.text
    assert field.put(Side.NEXUDUS, "Google Ads", {path: "google ads"}, NEXUDUS) == {path: "google ads"}


def test_free_text_is_not_folded(erpnext: Mapping) -> None:
    assert not erpnext.field("utm_content").same("Banner", "banner")


def test_a_document_the_site_lacks_waits_under_its_exact_name(erpnext: Mapping) -> None:
    with pytest.raises(Unmapped, match="the CRM has no link 'newsletter' for utm_source; add it there"):
        erpnext.field("utm_source").put(Side.CRM, "newsletter", {}, crm(utm_source="Google"))
    with pytest.raises(Unmapped, match="'Price' for lost_reasons; add it there"):
        erpnext.field("lost_reasons").put(Side.CRM, "Price", {}, crm(lost_reasons="Timing"))


def test_a_zero_amount_is_blank(erpnext: Mapping) -> None:
    amount = erpnext.field("opportunity_amount")
    assert amount.get(Side.CRM, {"opportunity_amount": 0}, Context()) is None
    record = {"opportunity_amount": 0}
    assert amount.put(Side.CRM, None, record, Context()) is record


def test_a_renamed_stage_is_paired_by_a_table() -> None:
    table = '[fields.sales_stage.values]\n"Qualification" = ["Tour booked"]\n'
    text = shipped("erpnext").replace("# Nexudus's stages rarely", f"{table}# Nexudus's stages rarely")
    mapping = pair(parse(shipped("nexudus"), "nexudus.toml", Side.NEXUDUS), parse(text, "erpnext.toml", Side.CRM))
    stage = mapping.field("sales_stage")
    said = stage.get(Side.CRM, {"sales_stage": "qualification"}, crm(sales_stage="Qualification"))
    assert stage.put(Side.NEXUDUS, said, {}, NEXUDUS) == {"CrmBoardColumnId": 102}
    assert stage.put(Side.CRM, "Tour booked", {}, crm(sales_stage="Qualification")) == {"sales_stage": "Qualification"}
