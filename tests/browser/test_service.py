"""The service's page as people use it: search, recommend, filter, explain, cold items, by mouse and by keyboard."""

import threading
import time

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
import uvicorn

from alignrec_geo.service import ServiceSettings, make_app
from alignrec_geo.service.address import bound, url
from tests.browser.checks import DESK, PHONE
from tests.service.small_run import NEW, TITLES

pytestmark = pytest.mark.slow  # a real browser


@pytest.fixture(scope="session")
def service(served_run):
    """The address of a service in a thread."""
    app = make_app(ServiceSettings(served_run))
    listening = bound("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    app.service.run.explained("user-0001", "item-0000")  # the first one imports PyG
    yield url(listening)
    server.should_exit = True
    thread.join()


ALL_MUGS = "[...document.querySelectorAll('#results .facts')].every((one) => one.textContent.includes('kind mug'))"


def until(page, condition):
    """Wait for a condition; Playwright's own way evaluates text in the page, which the page forbids."""
    end = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def titles(page):
    return page.locator("#results h2").all_inner_texts()


def faults(visit, picture=True):
    """What is wrong with the page; a condition that is none is answered with 422, which the console mentions."""
    return [fault for fault in visit.faults(picture=picture) if "422" not in fault]


@pytest.mark.parametrize(("width", "dark"), [(DESK, False), (DESK, True), (PHONE, False), (PHONE, True)])
def test_search_recommend_filter_explain(visit, service, width, dark):
    seen = visit(service + "/", width, dark, name="service-start")
    page = seen.page
    page.locator("#results li").first.wait_for()
    assert page.title() == "catalogue · alignrec-geo"
    assert faults(seen, picture=False) == []
    # a user, by keyboard alone
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("user-0001")
    page.locator("#found .hit").first.wait_for()
    page.keyboard.press("Enter")
    page.locator(".ask-why").first.wait_for()
    assert page.locator("#asked-name").inner_text() == "user-0001"
    assert len(titles(page)) == 20
    # a condition, and one that is none
    page.fill("#where", "kind = 'mug' and price > 1")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#results li').length < 20")
    assert page.locator("#results .facts").count() == len(titles(page)) > 0
    until(
        page, "[...document.querySelectorAll('#results .facts')].every((one) => one.textContent.includes('kind mug'))"
    )
    page.fill("#where", "nope = 1")
    page.get_by_role("button", name="Apply").click()
    page.locator("#problem").wait_for()
    assert "where: no column 'nope'" in page.locator("#problem").inner_text()
    page.fill("#where", "")
    page.check("#cold")
    until(page, "document.querySelectorAll('#results li').length === 20")
    # why
    page.locator(".ask-why").first.click()
    page.locator("#why .why-list li").first.wait_for()
    assert "place 1 of" in page.locator("#why").inner_text()
    assert faults(seen) == []
    page.keyboard.press("Escape")
    assert not page.locator("#why").is_visible()


def test_why_of_a_model_on_ids_alone_names_no_content(visit, service):
    def without_content(route):
        why = route.fetch().json()
        route.fulfill(json={**why, "history": [{**one, "content": 0.0} for one in why["history"]]})

    page = visit(service + "/#user=user-0002").page
    page.route("**/v1/explain*", without_content)
    page.locator(".ask-why").first.click()
    page.locator("#why .why-list li").first.wait_for()
    assert page.locator("#why .key").all_inner_texts() == ["of identity"]
    assert page.locator("#why .pair.content").count() == 0
    page.unroute("**/v1/explain*")


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_titles_are_text(visit, service, width):
    seen = visit(service + "/#item=item-0000&k=50", width, name="service-titles")
    page = seen.page
    until(page, "document.querySelectorAll('#results li').length === 39")
    assert page.locator("#asked-name").inner_text() == TITLES["item-0000"]
    shown = titles(page)
    for name in ("item-0001", "item-0002", "item-0004", "item-0005"):
        assert TITLES[name] in shown
    assert "Mug\\x1b[2J \\u202edexif\\u202c one other" in shown
    assert page.title() == "catalogue · alignrec-geo"
    assert page.locator("#results script, #results h2 img").count() == 0
    assert faults(seen, picture=False) == []


def test_a_cold_item_and_a_basket(visit, service):
    seen = visit(service + "/", PHONE, name="service-cold")
    page = seen.page
    page.fill("#query", "later")
    page.locator("#found .hit .mark", has_text="cold").wait_for()
    page.locator("#found .hit").first.click()
    page.locator("#results li").first.wait_for()
    until(page, "document.getElementById('asked-name').textContent === 'Later mug'")
    assert NEW in page.locator("#asked-more").inner_text()
    page.check("#cold")
    page.locator("#results .card").first.get_by_role("button", name="into the basket").click()
    page.locator("#basket button").first.wait_for()
    assert page.locator("#basket button").count() == 2
    until(page, "document.getElementById('asked-name').textContent === '2 items'")
    page.locator("#results li").first.wait_for()
    assert faults(seen, picture=False) == []
    page.locator("#basket button").first.click()
    until(page, "document.getElementById('asked-name').textContent === '1 items'")
    page.go_back()
    until(page, "document.getElementById('asked-name').textContent === '2 items'")
    page.goto(f"{service}/#user=user-0002&cold=1&k=50")
    page.locator(f"#results [data-item='{NEW}'] .mark", has_text="by content").wait_for()
