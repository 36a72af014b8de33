import pytest

from nexudus_sync.connectors.currency import digits


@pytest.mark.parametrize(
    ("code", "count"), [("EUR", 2), ("JPY", 0), (" kwd ", 3), ("CLF", 4), ("XXX", 2), ("", 2), (None, 2)]
)
def test_a_currency_has_the_decimals_of_iso_4217(code, count):
    assert digits(code) == count
