"""The operator's day in a real browser: what they click, what they see, and what then stands in both systems."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from nexudus_sync.store.tables import Conflict, Failure
from page_office import HOSTILE, NAME

Screens = Callable[..., Any]
PAGES = ("/", "/inbox", "/inbox?list=decided", "/records?q=office", "/history", "/plan", "/brakes", "/mapping")
PAGES += ("/first-run/london", "/inbox/preview?answer=crm&all=yes")


@pytest.fixture
def screen(screens: Screens) -> Any:
    """A window in which Sofia Brandt has signed in."""
    made = screens()
    made.sign_in()
    return made


def waiting(screen: Any) -> list[Conflict]:
    """The conflicts about amounts that wait, as the store has them."""
    from sqlmodel import col, select

    with screen.office.engine.store.read() as session:
        found = select(Conflict).filter_by(state="open", field="opportunity_amount").order_by(col(Conflict.id))
        return list(session.exec(found))


def kept(screen: Any, number: int | None) -> Conflict:
    with screen.office.engine.store.read() as session:
        found = session.get(Conflict, number)
    assert found is not None
    return found


def amounts(screen: Any, conflict: Conflict) -> tuple[str, str]:
    """What both systems say now."""
    card = screen.office.sandbox.nexudus.record(int(conflict.nexudus_id))
    return (
        f"{card['Value']:.2f}",
        f"{screen.office.sandbox.crm.double.record(conflict.crm_id)['opportunity_amount']:.2f}",
    )


def test_from_something_waits_to_decided_in_two_clicks_and_back_again(screen: Any) -> None:
    screen.page.get_by_role("region", name="Waits for you").get_by_role("link").nth(1).click()
    opened = screen.page.locator("details[open]").filter(has_text="Which")
    number = int(screen.page.locator("li.item:has(details[open])").get_attribute("id")[1:])
    opened.get_by_role("button", name=re.compile("^Keep")).last.click()
    notice = screen.page.get_by_role("status").filter(has_text="You kept")
    notice.wait_for()
    taken = kept(screen, number)
    assert (taken.state, taken.take, taken.decided_by) == ("resolved", "crm", NAME)
    notice.get_by_role("button", name="Take it back").click()
    screen.page.get_by_text("the question is open again").wait_for()
    assert kept(screen, number).state == "open"


def test_one_decision_reaches_both_systems(screen: Any) -> None:
    conflict = waiting(screen)[0]
    screen.go(f"/inbox?open=c{conflict.id}")
    screen.page.locator(f"#c{conflict.id}").get_by_role("button", name=re.compile("^Keep")).first.click()
    screen.go("/")
    screen.page.get_by_role("button", name="Sync now").click()
    screen.page.get_by_text("The next cycle starts now").wait_for()
    assert kept(screen, conflict.id).state == "closed"
    assert set(amounts(screen, conflict)) == {conflict.nexudus}


def test_a_third_value_is_refused_where_it_cannot_stand_and_reaches_both_systems_where_it_can(screen: Any) -> None:
    conflict = waiting(screen)[0]
    screen.go(f"/inbox?open=c{conflict.id}")
    item = screen.page.locator(f"#c{conflict.id}")
    item.get_by_label("Or another value").fill("a lot")
    item.get_by_role("button", name="Use this value").click()
    screen.page.get_by_text("cannot be that").wait_for()
    item.get_by_label("Or another value").fill("9450.25")
    item.get_by_role("button", name="Use this value").click()
    screen.page.get_by_text("Both sides get 9,450.25").wait_for()
    screen.office.cycle()
    assert set(amounts(screen, conflict)) == {"9450.25"}


def test_an_item_unfolds_without_leaving_the_list(screen: Any) -> None:
    conflict = waiting(screen)[0]
    screen.go("/inbox")
    item = screen.page.locator(f"#c{conflict.id}")
    item.locator("summary").first.click()
    item.get_by_text("Which amount is right?").wait_for()
    assert screen.page.url.endswith("/inbox")


def test_many_are_answered_by_a_preview(screen: Any) -> None:
    chosen = waiting(screen)[:2]
    screen.go("/inbox")
    for conflict in chosen:
        screen.page.locator(f"#c{conflict.id} > label input").check()
    screen.page.get_by_label("Answer", exact=True).select_option("crm")
    screen.page.get_by_role("button", name="Preview").click()
    screen.page.get_by_role("heading", name="Keep the CRM’s value in 2 conflicts?").wait_for()
    assert [kept(screen, one.id).state for one in chosen] == ["open", "open"]
    screen.page.get_by_role("button", name="Keep 2 values").click()
    screen.page.get_by_text("2 conflicts are decided").wait_for()
    assert [kept(screen, one.id).take for one in chosen] == ["crm", "crm"]
    screen.go("/inbox?list=decided")
    screen.page.locator(f"#c{chosen[0].id}").locator("summary").first.click()
    screen.page.locator(f"#c{chosen[0].id}").get_by_role("button", name="Take it back").click()
    assert kept(screen, chosen[0].id).state == "open"


def test_a_failure_is_tried_again_with_its_like_and_dismissed(screen: Any) -> None:
    from sqlmodel import select

    with screen.office.engine.store.session() as session:
        for number in (1, 2):
            session.add(
                Failure(
                    connection="london", kind="unmapped", field="sales_stage", nexudus_id=str(number),
                    reason='the CRM has no stage "X" for sales_stage; add it there, or to crm.toml: fields.f.values a '
                    'line like "A" = ["A", "X"]',
                    first_at=screen.office.clock.now(), last_at=screen.office.clock.now(),
                )
            )  # fmt: skip
        session.flush()
        numbers = [one.id for one in session.exec(select(Failure).where(Failure.nexudus_id.in_(("1", "2"))))]
    screen.go(f"/inbox?open=f{numbers[0]}")
    item = screen.page.locator(f"#f{numbers[0]}")
    assert '"A" = ["A", "X"]' in item.locator("pre").first.inner_text()
    item.get_by_role("button", name="Try all 2 alike").click()
    screen.page.get_by_text("2 records are tried again").wait_for()
    screen.go(f"/inbox?open=f{numbers[1]}")
    screen.page.locator(f"#f{numbers[1]}").get_by_role("button", name="Dismiss").click()
    screen.page.get_by_text("It comes back if its reason changes").wait_for()


def test_a_brake_is_released_after_a_look(screen: Any) -> None:
    screen.office.brake()
    screen.go("/")
    screen.page.get_by_role("heading", name="london has stopped itself").wait_for()
    screen.page.get_by_role("link", name="Look", exact=True).click()
    release = screen.page.get_by_role("button", name="Release for one cycle")
    release.click()
    assert screen.page.url.startswith(f"{screen.address}/brakes")  # the box has to be ticked first
    screen.page.get_by_label("I know why this happened").check()
    release.click()
    screen.page.get_by_text("Released. The next cycle goes on").wait_for()


def test_values_made_to_do_harm_are_only_text(screen: Any) -> None:
    for path in ("/", "/inbox", "/history", "/records?q=script"):
        screen.go(path)
        assert screen.page.title() != "owned"
        assert screen.page.locator("main script, main img").count() == 0
    screen.go("/inbox?q=script")
    assert HOSTILE in screen.page.locator("main").inner_text()


def test_the_wrong_password_lets_nobody_in(screens: Screens) -> None:
    made = screens()
    made.sign_in("wrong")
    made.page.get_by_text("do not belong together").wait_for()
    made.go("/inbox")
    assert "/sign-in" in made.page.url


def test_a_change_without_the_token_is_refused(screen: Any) -> None:
    answer = screen.page.request.post(f"{screen.address}/connections/london/pause", form={"token": "made up"})
    assert answer.status == 403
    assert "Nothing was changed" in answer.text()


def test_another_host_is_refused(screen: Any) -> None:
    answer = screen.page.request.get(f"{screen.address}/", headers={"Host": "evil.example"})
    assert answer.status == 421


def test_the_state_is_renewed_while_the_page_is_open_and_nothing_folds(screen: Any) -> None:
    screen.go("/")
    pause = screen.page.get_by_role("button", name="Pause london")
    pause.focus()
    for _ in range(2):
        with screen.page.expect_response(re.compile("/overview/state"), timeout=10_000) as renewed:
            pass
        assert renewed.value.ok
    pause.wait_for()
    assert screen.page.evaluate("document.activeElement.textContent.trim()") == "Pause london"
    assert screen.page.locator("#news").text_content() == ""


def test_a_plan_is_made_while_the_page_waits(screen: Any) -> None:
    screen.go("/plan")
    screen.page.get_by_role("button", name=re.compile("Make")).click()
    screen.page.get_by_text("Would wait").wait_for()


def test_everything_can_be_done_with_the_keyboard(screen: Any) -> None:
    conflict = waiting(screen)[-1]
    screen.go("/inbox")
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    screen.page.locator(f"#c{conflict.id} summary").first.focus()
    screen.page.keyboard.press("Enter")
    button = screen.page.locator(f"#c{conflict.id}").get_by_role("button", name=re.compile("^Keep")).first
    button.wait_for()
    button.focus()
    screen.page.keyboard.press("Enter")
    screen.page.get_by_text("You kept Nexudus’s").wait_for()
    screen.page.get_by_role("button", name="Take it back").press("Enter")
    screen.page.get_by_text("the question is open again").wait_for()


def test_it_works_without_scripts(screens: Screens) -> None:
    made = screens(java_script_enabled=False)
    made.sign_in()
    conflict = waiting(made)[-1]
    made.go("/inbox")
    made.page.locator(f"#c{conflict.id} summary").first.click()
    made.page.locator(f"#c{conflict.id}").get_by_role("link", name="Show all of it").click()
    made.page.locator(f"#c{conflict.id}").get_by_role("button", name=re.compile("^Keep")).first.click()
    made.page.get_by_role("button", name="Take it back").click()
    assert kept(made, conflict.id).state == "open"


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_page_scrolls_sideways(screens: Screens, width: int) -> None:
    made = screens(viewport={"width": width, "height": 844}, has_touch=True)
    made.sign_in()
    conflict = waiting(made)[-1]
    pair = f"/record?connection=london&nexudus={conflict.nexudus_id}"
    wide = []
    for path in (*PAGES, f"/inbox?open=c{conflict.id}", pair):
        made.go(path)
        if made.page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_serious(screens: Screens, scheme: str) -> None:
    made = screens(color_scheme=scheme)
    made.go("/sign-in")
    found = {"/sign-in": made.serious()}
    made.sign_in()
    conflict = waiting(made)[-1]
    for path in (*PAGES, f"/inbox?open=c{conflict.id}", f"/record?connection=london&nexudus={conflict.nexudus_id}"):
        made.go(path)
        found[path] = made.serious()
    assert {path: one for path, one in found.items() if one} == {}, json.dumps(found, indent=1)
