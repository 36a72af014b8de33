import json

import pytest
from erpnext_site import samples

from nexudus_sync import codec
from nexudus_sync.connectors.erpnext import complaint
from nexudus_sync.connectors.erpnext.complaint import Complaint, plain, read

REFUSED = [(v, name) for v in (15, 16) for name, call in samples(v).items() if call["status"] >= 400]


@pytest.mark.parametrize(("version", "name"), REFUSED)
def test_every_recorded_refusal_names_its_type_in_plain_text(version: int, name: str) -> None:
    answer = samples(version)[name]["response"]
    text = answer["_text"] if "_text" in answer else codec.dumps(answer)
    found = read(text)
    assert found.html == ("_text" in answer and text.lstrip().startswith("<"))
    assert found.html or found.kind
    assert not {"<strong>", "\\", "\n", "traceback"} & set(found.message.split())
    assert "<" not in found.message.replace("<sync", "")


def test_messages_are_unwrapped_twice_and_lose_their_html() -> None:
    message = json.dumps({"message": "Could not find <b>Source</b>: A &amp; B<br>Try again"})
    text = json.dumps({"exc_type": "LinkValidationError", "_server_messages": json.dumps([message])})
    assert read(text) == Complaint("LinkValidationError", "Could not find Source: A & B Try again")


def test_a_message_that_is_packed_only_once_is_read_too() -> None:
    assert (
        read(json.dumps({"exc_type": "X", "_server_messages": json.dumps(["said plainly"])})).message == "said plainly"
    )
    assert read(json.dumps({"exc_type": "X", "_server_messages": "no list"})).message == ""


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (
            'Traceback (most recent call last):\n  File "x", line 1\nMySQLdb.DataError: (1406, "Too long: x")\n',
            '(1406, "Too long: x")',
        ),
        ("frappe.exceptions.NameError: no '<', '>'", "no '<', '>'"),
        ("KeyError", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_an_error_of_version_2_without_a_message_says_the_last_line_of_its_traceback(
    trace: str | None, message: str
) -> None:
    body = json.dumps({"errors": [{"type": "X", "exception": trace}]})
    assert read(body) == Complaint("X", message)


def test_without_messages_the_summary_or_the_last_line_of_the_traceback_speaks() -> None:
    assert read('{"exc_type": "X", "_error_message": "No permission for Lead"}').message == "No permission for Lead"
    assert read('{"exc_type": "X", "exception": "a.b.X: it broke: here"}').message == "it broke: here"
    assert read('{"exc_type": "X", "exception": "a.b.X"}').message == "a.b.X"
    assert read('{"exc_type": "X"}').message == ""
    assert (
        read(json.dumps({"exc_type": "X", "_server_messages": json.dumps([json.dumps({"message": ""})])})).message == ""
    )


def test_version_2_of_the_api_has_a_list_of_errors() -> None:
    text = '{"errors": [{"type": "MandatoryError", "message": "Value missing: <b>Party</b>"}, {"type": "Y"}, 7]}'
    assert read(text) == Complaint("MandatoryError", "Value missing: Party")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html><h1>502 Bad Gateway</h1></html>", Complaint("", "", html=True)),
        ("upstream timed\nout", Complaint("", "upstream timed out")),
        ("", Complaint("", "")),
        ("[1, 2]", Complaint("", "")),
    ],
)
def test_whatever_a_proxy_answers_is_survived(text: str, expected: Complaint) -> None:
    assert read(text) == expected


def test_a_long_message_is_cut_and_repeated_ones_are_said_once() -> None:
    packed = json.dumps([json.dumps({"message": "x" * 400})] * 2)
    assert read(json.dumps({"exc_type": "X", "_server_messages": packed})).message == "x" * 300 + "…"


def test_a_less_than_sign_is_no_tag() -> None:
    assert plain("5 < 6 & 7 > 2") == "5 < 6 & 7 > 2"
    assert complaint.plain("a &lt;b&gt;") == "a <b>"
