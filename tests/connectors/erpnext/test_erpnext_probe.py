from datetime import timedelta

import pytest
from erpnext_site import ADMIN, KEY_FIELD, SYNC, Clock, Site, draft

from nexudus_sandbox.erpnext.options import RateLimit
from nexudus_sandbox.wire import Request, Response, json_response
from nexudus_sync.connectors.erpnext.site import UTM
from nexudus_sync.errors import AuthenticationFailed, OutcomeUnknown, RoleMissing, Unavailable


async def test_version_16_has_the_utm_fields(site: Site) -> None:
    async with site.connect() as erp:
        assert erp.site.user == SYNC
        assert erp.site.zone.key == "Europe/Madrid"
        assert erp.site.listed == UTM
        assert not erp.site.own
        assert not erp.site.lacks
        assert erp.site.key_field is None
        assert erp.site.links["utm_source"] == "UTM Source"


async def test_version_15_has_source_and_campaign_in_their_place(old_site: Site) -> None:
    async with old_site.connect() as erp:
        assert erp.site.own == {"utm_source": "source", "utm_campaign": "campaign"}
        assert erp.site.lacks == {"utm_medium", "utm_content"}
        assert erp.site.listed == ("source", "campaign")
        assert erp.site.links["utm_source"] == "Lead Source"
        assert "utm_medium" not in erp.site.links


async def test_the_external_keys_field_is_used_where_the_site_has_it(either: Site) -> None:
    either.add_key_field()
    async with either.connect() as erp:
        assert erp.site.key_field == KEY_FIELD
    async with either.connect(external_key_field=None) as erp:
        assert erp.site.key_field is None
    async with either.connect(external_key_field="custom_other") as erp:
        assert erp.site.key_field is None


async def test_a_wrong_key_ends_the_start(site: Site) -> None:
    async with site.stranger("nobody") as erp:
        with pytest.raises(AuthenticationFailed, match="API key and secret were not accepted"):
            await erp.start()


async def test_a_user_without_roles_is_told_which_one(either: Site) -> None:
    async with either.stranger("noperm") as erp:
        with pytest.raises(RoleMissing, match="may not read Opportunity: give it the role Sales User"):
            await erp.start()


async def test_a_site_in_maintenance_is_unavailable(site: Site) -> None:
    site.double.options.maintenance = True
    async with site.stranger() as erp:
        with pytest.raises(Unavailable, match="closed for maintenance"):
            await erp.start()


def answering(site: Site, path: str, answer: Response) -> None:
    """Let one path be answered so."""
    serve = site.double.answer

    def instead(request: Request) -> tuple[str, Response]:
        return (SYNC, answer) if request.path.endswith(path) else serve(request)

    site.double.answer = instead  # type: ignore[method-assign]


async def test_a_time_zone_nobody_knows_is_said(site: Site) -> None:
    answering(site, "get_time_zone", json_response(200, {"message": {"time_zone": "Mars/Olympus"}}))
    async with site.stranger() as erp:
        with pytest.raises(Unavailable, match="'Mars/Olympus' is unknown; set an IANA name"):
            await erp.start()


@pytest.mark.parametrize("version", [15, 16])
async def test_the_sites_zone_counts_not_the_one_an_administrator_was_made_in(clock: Clock, version: int) -> None:
    """Users keep the zone the site had when they were saved first, and are told that one."""
    site = Site(version, clock)
    site.double.change("User", ADMIN, ADMIN, time_zone="Asia/Kolkata")
    async with site.connect("admin") as erp:
        assert erp.site.zone.key == "Europe/Madrid"


async def test_a_list_that_is_refused_without_a_field_is_unavailable(site: Site) -> None:
    answering(site, "resource/Opportunity", json_response(417, {"exc_type": "DataError"}))
    async with site.stranger() as erp:
        with pytest.raises(Unavailable, match="DataError"):
            await erp.start()


@pytest.mark.parametrize("body", [{"data": 7}, {"data": [1]}, [], {"message": 1}])
async def test_a_list_that_is_none_is_unavailable(site: Site, body: object) -> None:
    answering(site, "resource/Opportunity", json_response(200, body))
    async with site.stranger() as erp:
        with pytest.raises(Unavailable, match="not a list"):
            await erp.start()


async def test_a_document_or_a_number_that_is_none_is_unavailable(site: Site) -> None:
    async with site.connect() as erp:
        answering(site, "", json_response(200, {"data": {}, "message": "seven"}))
        with pytest.raises(Unavailable, match="without the document"):
            await erp.fetch("CRM-OPP-2026-00001")
        with pytest.raises(Unavailable, match="not a number"):
            await erp.api.count("Opportunity")


async def test_asking_before_the_start_is_a_fault_of_the_program(site: Site) -> None:
    async with site.stranger() as erp:
        assert erp.clock_offset() is None
        with pytest.raises(AssertionError, match="start must be called first"):
            erp.stamp({})


async def test_a_save_answered_without_the_document_may_have_been_done(site: Site) -> None:
    async with site.connect() as erp:
        answering(site, "resource/Opportunity", json_response(200, {"message": "saved"}))
        with pytest.raises(OutcomeUnknown, match="POST was answered without the document"):
            await erp.perform(erp.create_step(draft(site)))


async def test_limits_are_kept_where_they_are_configured(site: Site) -> None:
    before = site.clock.now()
    async with site.connect(limits={"per_second": 2}) as erp:
        for _ in range(6):
            await erp.api.count("Opportunity")
    assert site.clock.now() - before >= timedelta(seconds=2)


async def test_a_write_keeps_the_place_that_was_reserved_for_it(site: Site) -> None:
    name = site.add()
    async with site.connect(limits={"writes_per_minute": 1}) as erp:
        await erp.perform(erp.delete_step("gone already"))
        before = site.clock.now()
        await erp.reserve()
        reserved = site.clock.now()
        await erp.perform(erp.delete_step(name))
    assert reserved - before >= timedelta(seconds=50)
    assert site.clock.now() - reserved < timedelta(seconds=2)


async def test_a_site_that_limits_itself_is_waited_for(site: Site) -> None:
    site.add()
    async with site.connect() as erp:
        site.double.options.rate_limit = RateLimit(seconds=0.05, window=60)
        before = site.clock.now()
        for _ in range(4):
            await erp.api.count("Opportunity")
    assert timedelta(seconds=30) < site.clock.now() - before < timedelta(seconds=180)
    assert 429 in {entry.status for entry in site.double.log}
