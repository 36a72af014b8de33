"""Lists: filters, columns, order, pages."""

from typing import Any

import pytest
from erpnext_client import OF_CUSTOMER, OPPORTUNITY, Client
from erpnext_recordings import Time

from nexudus_sandbox.erpnext import ERPNextDouble


@pytest.fixture
def filled(client: Client, time: Time) -> Client:
    """a: Open, 10, 2026-12-01; b: Lost, 20, two reasons; Ä: Open, no amount, of the customer."""
    client.create(title="a", opportunity_amount=10, expected_closing="2026-12-01")
    time.pass_by(60)
    client.create(
        title="b",
        status="Lost",
        opportunity_amount=20,
        lost_reasons=[{"lost_reason": "No reply"}, {"lost_reason": "Too expensive"}],
    )
    time.pass_by(60)
    client.create(title="Ä", **OF_CUSTOMER)
    return client


def titles(client: Client, **query: Any) -> str:
    return "".join(row["title"] for row in client.list(fields=["title"], order_by="name asc", **query))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([["title", "=", "A "]], "aÄ"),
        ([["title", "!=", "b"]], "aÄ"),
        ([["opportunity_amount", ">", 10]], "b"),
        ([["opportunity_amount", "<=", "10"]], "aÄ"),
        ([["opportunity_amount", "<", 1]], "Ä"),
        ([["expected_closing", ">=", "2026-12-01"]], "a"),
        ([["expected_closing", "<", "2026-12-02"]], "abÄ"),
        ([["expected_closing", ">", "no day"]], "a"),
        ([["docstatus", "=", 0]], "abÄ"),
        ([["status", "not in", ["Lost"]]], "aÄ"),
        ([["status", "in", None]], ""),
        ([["title", "like", "_"]], "abÄ"),
        ([["title", "not like", "%b%"]], "aÄ"),
        ([["expected_closing", "is", "set"]], "a"),
        ([["modified", "between", ["2026-11-20 16:00:30", "2026-11-20 16:01:30"]]], "b"),
        ([["modified", ">", "2026-11-20 16:00:30"], ["status", "Lost"]], "b"),
        ([["modified", ">", "2026-99-99"]], "abÄ"),
        ([["Opportunity Lost Reason Detail", "lost_reason", "=", "no reply"]], "b"),
        ([["Opportunity", "status", "=", "Lost"]], "b"),
        ({"status": ["!=", "Lost"], "title": "a"}, "aÄ"),
        ([["_user_tags", "is", "not set"]], "abÄ"),
    ],
)
def test_a_filter_compares_as_the_database_does(filled: Client, filters: Any, expected: str) -> None:
    assert titles(filled, filters=filters) == expected


def test_an_unknown_operator_is_refused(filled: Client) -> None:
    refused = filled.get("/api/resource/Opportunity", filters=[["title", "~", "a"]])
    assert "Operator must be one of" in refused["exception"]


def test_a_last_day_counts_to_its_end_before_version_16(old: ERPNextDouble) -> None:
    client = Client(old)
    client.create(title="a")
    assert titles(client, filters=[["modified", "between", ["2026-11-20", "2026-11-20"]]]) == "a"
    assert titles(client, filters=[["expected_closing", "between", ["2026-11-20", "2026-11-20"]]]) == ""


def test_order_goes_by_several_columns_blank_ones_first(filled: Client) -> None:
    rows = filled.list(fields=["title"], order_by="expected_closing asc, `tabOpportunity`.`title` desc")
    assert [row["title"] for row in rows] == ["b", "Ä", "a"]


def test_a_page_starts_where_it_is_told(filled: Client) -> None:
    assert titles(filled, limit_start=1, limit_page_length=1) == "b"
    assert titles(filled, limit_start=1, limit_page_length=0) == "bÄ"


def test_columns_of_a_child_table_repeat_the_document(filled: Client) -> None:
    rows = filled.list(fields=["title", "lost_reasons.lost_reason as why"], order_by="name asc")
    assert rows == [
        {"title": "a", "why": None},
        {"title": "b", "why": "No reply"},
        {"title": "b", "why": "Too expensive"},
        {"title": "Ä", "why": None},
    ]


def test_before_version_16_both_tables_of_a_joined_list_have_the_columns_that_order_it(old: ERPNextDouble) -> None:
    """The order names no table: only a column that is shown, or one of a single table, is clear."""
    client = Client(old)
    client.create(title="a", lost_reasons=[{"lost_reason": "No reply"}])

    def listed(*fields: str, order_by: str = "creation asc, name asc") -> Any:
        return client.get(OPPORTUNITY, fields=list(fields), order_by=order_by)

    refused = listed("name", "lost_reasons.lost_reason")
    assert refused["exc_type"] == "OperationalError"
    assert "Column 'creation' in ORDER BY is ambiguous" in refused["exception"]
    assert [row["name"] for row in listed("name")["data"]] == ["CRM-OPP-2026-00001"]
    assert len(listed("name", "creation", "lost_reasons.lost_reason")["data"]) == 1
    assert len(listed("name", "lost_reasons.lost_reason", order_by="title asc")["data"]) == 1
    assert len(listed("lost_reasons.lost_reason", order_by="`tabOpportunity`.creation asc")["data"]) == 1


@pytest.mark.parametrize(("name", "expected"), [("COUNT", 3), ("sum", 30), ("MIN", 0), ("MAX", 20)])
def test_version_16_takes_aggregates(filled: Client, name: str, expected: int) -> None:
    rows = filled.list(fields=[{name: "opportunity_amount", "as": "n"}, "company"])
    assert rows == [{"n": expected, "company": "Example Coworking"}]


@pytest.mark.parametrize("fields", [[{"COUNT": "nothing"}], [{"MEDIAN": "name"}]])
def test_an_unknown_aggregate_is_refused(filled: Client, fields: Any) -> None:
    assert filled.get("/api/resource/Opportunity", fields=fields)["exc_type"] == "DataError"


def test_sums_of_nothing_are_null(client: Client) -> None:
    assert client.list(fields=[{"SUM": "opportunity_amount", "as": "n"}, "company"]) == [{"n": None, "company": None}]


def test_a_link_can_be_followed_and_expanded(filled: Client) -> None:
    rows = filled.list(fields=["company.default_currency as money", "company", "title"], expand=["company", "title"])
    assert rows[0]["money"] == "EUR"
    assert (rows[0]["company"]["name"], rows[0]["title"]) == ("Example Coworking", "a")


def test_a_blank_link_is_not_expanded(filled: Client) -> None:
    assert filled.list(fields=["utm_source"], expand=["utm_source"], limit=1) == [{"utm_source": None}]


def test_an_administrator_is_told_what_does_not_exist(admin: Client) -> None:
    response = admin.send("GET", "/api/resource/No Such Type")
    assert (response.status, response.json()["exc_type"]) == (404, "DoesNotExistError")


def test_the_natural_order_is_the_servers_own(old: ERPNextDouble, time: Time) -> None:
    client = Client(old)
    first, second = client.create()["name"], client.create(status="Lost")["name"]
    client.update(first, status="Lost")
    assert [row["name"] for row in client.list()] == [second, first]
    assert [row["name"] for row in client.list(filters=[["status", "=", "Lost"]])] == [first, second]


def test_the_second_version_counts_too(filled: Client) -> None:
    assert filled.get("/api/v2/doctype/Opportunity/count", filters={"status": "Lost"}) == {"data": 1}
