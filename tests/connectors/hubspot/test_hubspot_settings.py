"""What a person is told about a key of HubSpot's table that is not as it should be."""

from pathlib import Path

import pytest

from nexudus_sync.config import load
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings
from nexudus_sync.errors import ConfigError

_CONFIG = """
[nexudus]
username = "sync@example.com"
password = "${{PASSWORD}}"
[crm.hubspot]
connector = "hubspot"
token = "${{TOKEN}}"
{line}
[[connection]]
name = "london"
crm = "hubspot"
scope = {{ business_id = 1001 }}
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('api_version = "2026-06"', "'2026-06' is no version of HubSpot's API; write it like 2026-03 or 2026-09"),
        ('api_version = "v3"', "'v3' is no version of HubSpot's API; write it like 2026-03 or 2026-09"),
        ('nexudus_id = "Nexudus ID"', "'Nexudus ID' is no internal name of a property; write it like nexudus_id"),
        ('currency = "pounds"', "'pounds' is no currency; write it like GBP"),
        ('time_zone = "London"', "'London' is no time zone; write it like Europe/London"),
    ],
)
def test_a_key_that_looks_wrong_is_refused_in_words(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "config.toml").write_text(_CONFIG.format(line=line), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "config.toml", {"PASSWORD": "secret", "TOKEN": "pat-na1-test"})
    assert str(refused.value).endswith(f"crm.hubspot.{line.partition(' ')[0]}: {told}")


@pytest.mark.parametrize(("key", "value"), [("api_version", "2026-09"), ("nexudus_id", ""), ("currency", "EUR")])
def test_a_key_that_looks_right_is_taken(key: str, value: str) -> None:
    settings = HubSpotSettings.model_validate({"token": "pat-na1-test", key: value})
    assert getattr(settings, key) == value
