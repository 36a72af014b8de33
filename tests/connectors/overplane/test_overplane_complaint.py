import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.connectors.overplane.complaint import Complaint, read


@pytest.mark.parametrize(
    ("body", "message", "keys"),
    [
        ({"message": "no title"}, "no title", set()),
        ({"error": "no title"}, "no title", set()),
        ({"error": {"message": "no title", "param": "title"}}, "no title", {"title"}),
        ({"detail": [{"loc": ["body", "title"], "msg": "field required"}]}, "field required", {"title"}),
        ({"errors": [{"field": "body.title", "message": "bad"}, "worse"]}, "bad; worse", {"title"}),
        ({"errors": {"title": ["bad", "short"]}}, "title: bad; title: short", {"title"}),
        ({"message": "a", "detail": "a", "loc": [1]}, "a", set()),
        (["a", {"msg": "b", "field": ""}], "a; b", set()),
        ({"status": 5}, "", set()),
        (7, "", set()),
    ],
)
def test_any_usual_shape_of_an_error_is_read(body, message, keys):
    assert read(json.dumps(body)) == Complaint(message, frozenset(keys))


def test_plain_text_is_the_message_and_a_web_page_is_none():
    assert read("  Rate limit\nexceeded ") == Complaint("Rate limit exceeded")
    assert read(" <html><body>nginx</body></html>") == Complaint("", html=True)
    assert read("") == Complaint("")


def test_a_long_message_is_cut():
    assert len(read("x" * 5000).message) == 301


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "error", "detail", "errors", "field", "loc", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_no_json_at_all_breaks_the_reader(body):
    said = read(json.dumps(body))
    assert "\n" not in said.message
    assert all(isinstance(key, str) for key in said.keys)
