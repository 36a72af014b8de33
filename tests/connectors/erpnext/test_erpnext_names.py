from collections.abc import AsyncIterator

import pytest
from erpnext_site import ADMIN, SCOPE, SYNC, Clock, Site, draft

from nexudus_sandbox.erpnext.permissions import SALES_MANAGER, SALES_USER
from nexudus_sandbox.wire import Request, Response, json_response
from nexudus_sync.connectors.cached import PATIENCE
from nexudus_sync.connectors.erpnext import ERPNextConnector
from nexudus_sync.connectors.erpnext.directories import Entry, Names
from nexudus_sync.errors import Refused, Stale

BOTH = frozenset({SALES_USER, SALES_MANAGER})
MARKETING = BOTH | {"Marketing Manager"}


@pytest.fixture
async def erp(site: Site) -> AsyncIterator[ERPNextConnector]:
    async with site.connect() as connector:
        yield connector


def test_names_are_compared_as_the_site_compares_them() -> None:
    names = Names([Entry("Google", "Google"), Entry("Bing", "Bing")])
    assert names.raw(" google ") == "Google"
    assert names.name("GOOGLE") == "Google"
    assert names.names() == ("Google", "Bing")
    assert names.raw("Yahoo") is None
    assert names.name("") is None
    assert names.missed == {"yahoo"}


def test_a_list_that_cannot_be_read_takes_any_name_and_misses_none() -> None:
    names = Names(takes_any=True)
    assert names.raw(" Anything ") == "Anything"
    assert names.name("Anything") is None
    assert names.missed == set()


def test_a_word_that_stands_for_two_people_stands_for_none() -> None:
    people = Names(
        [
            Entry("a@example.com", "a@example.com", ("Kim",)),
            Entry("Administrator", "b@example.com", ("Kim", "Boss"), writable=False),
        ]
    )
    assert people.name("Kim") is None
    assert people.name("Boss") == "b@example.com"
    assert people.name("administrator") == "b@example.com"
    assert people.raw("b@example.com") is None
    assert people.names() == ("a@example.com",)


async def test_links_and_users_have_directories_and_money_its_digits(either: Site) -> None:
    async with either.connect() as erp:
        context = await erp.context({"currency": "JPY"}, SCOPE)
    assert context.digits == 0
    wanted = {"user", "sales_stage", "lost_reasons", "utm_source", "utm_campaign"}
    assert context.directories.keys() == wanted | ({"utm_medium"} if either.version >= 16 else set())
    assert context.directories["utm_source"].raw("google") == "Google"
    assert context.directories["lost_reasons"].names() == ("Price", "Timing")
    assert context.directories["user"].raw(SYNC) == SYNC
    assert context.directories["user"].name("Administrator") == "administrator@example.com"
    assert context.directories["user"].raw("administrator@example.com") == "Administrator"


async def test_lists_are_read_once_and_again_for_a_name_that_is_not_there(site: Site, erp: ERPNextConnector) -> None:
    source = (await erp.context({}, SCOPE)).directories["utm_source"]
    before = len(site.double.log)
    await erp.context({"utm_source": "Google", "lost_reasons": [{"lost_reason": "Price"}]}, SCOPE)
    assert site.calls(before) == []
    assert source.raw("newsletter") is None
    site.double.add("UTM Source", ADMIN, name="Newsletter")
    assert (await erp.context({}, SCOPE)).directories["utm_source"].raw("newsletter") == "Newsletter"
    assert site.calls(before) == ["GET resource/UTM Source"]
    assert source.raw("never there") is None
    for _ in range(3):
        assert (await erp.context({}, SCOPE)).directories["utm_source"].raw("never there") is None
    assert len(site.calls(before)) == 2
    site.clock.pass_time(PATIENCE)
    await erp.context({}, SCOPE)
    assert len(site.calls(before)) == 3


async def test_a_list_the_user_may_not_read_takes_any_name(site: Site) -> None:
    async with site.connect("sales") as erp:
        assert "sales_stage" not in (await erp.context({}, SCOPE)).directories
        written = await erp.perform(erp.create_step(draft(site, sales_stage="qualification")))
    assert written.record["sales_stage"] == "Qualification"


async def test_users_the_user_may_not_read_take_any_e_mail(site: Site, erp: ERPNextConnector) -> None:
    site.double.users[SYNC].roles = frozenset()
    users = (await erp.context({}, SCOPE)).directories["user"]
    assert users.raw("anyone@example.com") == "anyone@example.com"


async def test_a_missing_document_is_not_created_unless_that_is_configured(site: Site) -> None:
    site.double.users[SYNC].roles = MARKETING
    async with site.connect() as erp:
        assert (await erp.context({}, SCOPE)).directories["utm_source"].raw("Newsletter") is None


@pytest.mark.parametrize(
    ("version", "key", "doctype", "roles"),
    [
        (16, "utm_source", "UTM Source", MARKETING),
        (16, "utm_medium", "UTM Medium", MARKETING),
        (16, "utm_campaign", "UTM Campaign", MARKETING),
        (15, "utm_source", "Lead Source", BOTH),
        (15, "utm_campaign", "Campaign", BOTH | {"Sales Master Manager"}),
        (16, "sales_stage", "Sales Stage", BOTH),
    ],
)
async def test_a_missing_document_is_created_where_configuration_and_roles_allow(
    clock: Clock, version: int, key: str, doctype: str, roles: frozenset[str]
) -> None:
    site = Site(version, clock)
    site.double.users[SYNC].roles = roles
    async with site.connect(create_missing=True) as erp:
        directory = (await erp.context({}, SCOPE)).directories[key]
        assert directory.raw(" New one ") == "New one"
        for key_of in ("nexudus:1", "nexudus:2"):
            written = await erp.perform(erp.create_step(draft(site, key_of, **{key: "New one"})))
            assert written.record[key] == "New one"
    assert site.calls().count(f"POST resource/{doctype}") == 1
    assert site.double.site.find(doctype, "New one")


async def test_missing_lost_reasons_are_created_before_an_update(either: Site) -> None:
    name = either.add()
    async with either.connect(create_missing=True) as erp:
        before = await erp.fetch(name)
        rows = [{"lost_reason": "Brand new"}, {"lost_reason": "Price"}]
        (step,) = erp.update_steps(before, before | {"lost_reasons": rows})
        await erp.perform(step, before)
    assert either.double.lost_reasons(name) == ["Brand new", "Price"]


async def test_without_the_role_nothing_is_promised(site: Site) -> None:
    async with site.connect(create_missing=True) as erp:
        directories = (await erp.context({}, SCOPE)).directories
        assert directories["utm_source"].raw("Newsletter") is None
        assert directories["lost_reasons"].raw("Brand new") == "Brand new"


async def test_a_role_taken_away_meanwhile_leaves_the_record_to_be_merged_again(site: Site) -> None:
    site.double.users[SYNC].roles = MARKETING
    name = site.add()
    async with site.connect(create_missing=True) as erp:
        await erp.context({}, SCOPE)
        site.double.users[SYNC].roles = BOTH
        before = await erp.fetch(name)
        (step,) = erp.update_steps(before, before | {"utm_source": "Newsletter"})
        with pytest.raises(Stale, match="may not create UTM Source: give it the role Marketing Manager"):
            await erp.perform(step, before)
        assert (await erp.context({}, SCOPE)).directories["utm_source"].raw("Newsletter") is None


async def test_documents_that_the_site_numbers_are_created_once_and_not_again(old_site: Site) -> None:
    """A site may name its campaigns by a series: then no value can name one that is still to be created."""
    serve, made = old_site.double.answer, list[str]()

    def numbered(request: Request) -> tuple[str, Response]:
        if request.method != "POST" or not request.path.endswith("/Campaign"):
            return serve(request)
        made.append("SAL-CAMP-2026-00001")
        return SYNC, json_response(200, {"data": {"name": made[-1]}})

    old_site.double.users[SYNC].roles = BOTH | {"Sales Master Manager"}
    old_site.double.answer = numbered  # type: ignore[method-assign]
    async with old_site.connect(create_missing=True) as erp:
        with pytest.raises(Stale, match='chooses the name of a Campaign: "spring" became "SAL-CAMP-2026-00001"'):
            await erp.perform(erp.create_step(draft(old_site, utm_campaign="spring")))
        for _ in range(2):
            context = await erp.context({}, SCOPE)
            assert context.directories["utm_campaign"].raw("spring") is None
            old_site.clock.pass_time(PATIENCE)
    assert len(made) == 1


async def test_a_document_that_somebody_else_just_added_is_taken(site: Site) -> None:
    name = site.add()
    async with site.connect(create_missing=True) as erp:
        await erp.context({}, SCOPE)
        site.double.add("Opportunity Lost Reason", ADMIN, lost_reason="Just added")
        before = await erp.fetch(name)
        (step,) = erp.update_steps(before, before | {"lost_reasons": [{"lost_reason": "just added"}]})
        await erp.perform(step, before)
    assert site.double.lost_reasons(name) == ["Just added"]


async def test_a_name_that_cannot_be_is_refused_for_its_key(site: Site) -> None:
    name = site.add()
    site.double.users[SYNC].roles = MARKETING
    async with site.connect(create_missing=True) as erp:
        await erp.context({}, SCOPE)
        before = await erp.fetch(name)
        (step,) = erp.update_steps(before, before | {"sales_stage": "x" * 141})
        with pytest.raises(Refused, match="CharacterLengthExceededError") as caught:
            await erp.perform(step, before)
    assert caught.value.keys == {"sales_stage"}
