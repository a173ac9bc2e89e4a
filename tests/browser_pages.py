"""A browser for the tests of pages, or the reason why there is none."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, driven through Playwright."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'"
    )
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with api.sync_playwright() as playwright:
        path = path or playwright.chromium.executable_path
        if not os.path.exists(path):
            pytest.skip("there is no Chromium: apt-get install chromium, or set CHROMIUM")
        # A container has no sandbox for root.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


def address_of(path):
    """Return the address of a file, or of what is one already."""
    return path if isinstance(path, str) else path.as_uri()


class Opened:
    """A page in a browser, and what went wrong in it."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints = []
        self.requests = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address_of(path))

    def serious_violations(self):
        """Return what axe finds, but for what it calls minor."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        found = axe.Axe().run(self.page).response["violations"]
        return [
            (each["id"], each["nodes"][0]["html"][:200])
            for each in found
            if each["impact"] != "minor"
        ]

    def check_quiet(self, path):
        """Nothing was complained about, and nothing but the file was asked for."""
        assert self.complaints == []
        assert [url for url in self.requests if not url.startswith("data:")] == [address_of(path)]

    def close(self):
        self.context.close()


@pytest.fixture
def opened(browser):
    """A function that opens a file: ``opened(path, viewport=..., color_scheme=...)``."""
    all_opened = []

    def open_page(path, **options):
        all_opened.append(Opened(browser, path, **options))
        return all_opened[-1]

    yield open_page
    for each in all_opened:
        each.close()
