"""The page of a run in a real browser, headless Chromium."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

from metaqnn.reports.page import write_page
from metaqnn.runs.run import open_run
from replay import Outcome
from tests.helpers.recorded import record_run, trained

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="there is no chromium here: apt-get install chromium"
    ),
]

EVIL = "<script>document.title = 'evil'<img src=x onerror=\"document.title='evil'\">'\"&amp;"


@pytest.fixture(scope="module")
def chromium():
    """A browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of a run with names and errors that are out for trouble."""
    folder = tmp_path_factory.mktemp("browser")
    outcomes = [
        trained(0.9, parameters=900),
        trained(0.8, parameters=10_000),
        Outcome({"parameters": 2000}, (0.1, 0.7)),  # of unknown time
        Outcome(error=EVIL),
        EVIL,
    ]
    record_run(folder / "r", outcomes)
    environment = folder / "r" / "environment.json"
    name = EVIL.replace("\\", "\\\\").replace('"', '\\"')
    environment.write_text(environment.read_text().replace('"9"', f'"{name}"'))
    (folder / "r").rename(folder / EVIL)
    write_page(open_run(folder / EVIL), folder / "page.html", k=10)
    return folder / "page.html"


@pytest.fixture
def open_page(chromium, path):
    """Open the page at a width; all that the browser asks for or complains of is kept."""
    contexts = []

    def open_at(width, **options):
        context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.heard = []
        page.on("console", lambda message: page.heard.append(message.text))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        page.on("request", lambda request: page.heard.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_at
    for context in contexts:
        context.close()


def column(page, title):
    """The cells of a column of the best networks, from top to bottom."""
    titles = page.locator("table.sortable th").all_inner_texts()
    number = [text.strip() for text in titles].index(title)
    return page.locator(f"table.sortable tbody td:nth-child({number + 1})").all_inner_texts()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_asks_for_nothing_complains_of_nothing_and_fits(open_page, path, width, scheme):
    page = open_page(width, color_scheme=scheme)
    page.wait_for_load_state("networkidle")
    assert page.heard == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("figure svg").count() >= 8
    brightness = page.evaluate(
        "[document.body, document.querySelector('.paper')].map("
        "element => Number(getComputedStyle(element).backgroundColor.match(/[0-9]+/)[0]))"
    )
    assert (brightness[0] < 50) == (scheme == "dark")
    assert brightness[1] == 255  # figures stand on white


def test_what_comes_from_outside_is_text(open_page):
    page = open_page(1280)
    assert page.title() == f"{EVIL} – metaqnn"
    assert page.locator("h1").inner_text() == EVIL
    assert EVIL in page.locator("#failures").inner_text()
    assert EVIL in page.locator("#summary").inner_text()
    assert page.locator("img").count() == 0 and page.locator("script").count() == 1


def test_headings_sort_up_and_down_as_numbers(open_page):
    page = open_page(1280)
    assert column(page, "accuracy") == ["90.00%", "80.00%", "70.00%"]
    heading = page.locator("th", has_text="parameters")
    heading.locator("button").click()
    assert column(page, "parameters") == ["900", "2,000", "10,000"]
    assert heading.get_attribute("aria-sort") == "ascending"
    assert page.locator("th[aria-sort]").count() == 1
    heading.locator("button").click()
    assert column(page, "parameters") == ["10,000", "2,000", "900"]
    assert column(page, "rank") == ["2", "3", "1"]
    assert heading.get_attribute("aria-sort") == "descending"
    assert len(page.heard) == 1


def test_headings_sort_by_keyboard_and_unknown_values_stay_last(open_page):
    page = open_page(1280)
    page.locator("th", has_text="seconds").locator("button").focus()
    for _ in range(2):
        page.keyboard.press("Enter")
        assert column(page, "seconds") == ["3.0", "3.0", ""]
    page.locator("th", has_text="network").locator("button").focus()
    page.keyboard.press("Space")
    assert column(page, "network") == sorted(column(page, "network"))


def test_what_does_not_fit_scrolls_in_its_own_place(open_page):
    page = open_page(400)
    wide = page.locator(".scroll:has(table.sortable)")
    assert wide.evaluate("element => element.scrollWidth > element.clientWidth")
    assert wide.get_attribute("tabindex") == "0"  # so that the arrow keys scroll it


def test_it_prints(open_page):
    page = open_page(1280)
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert page.pdf()[:4] == b"%PDF"
