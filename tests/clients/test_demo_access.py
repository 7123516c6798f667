"""Accessibility of the live demo page: phones, keyboards, screen readers and dark mode, from this host only."""

from collections.abc import AsyncGenerator, Generator
from typing import Any, Literal

import httpx2
import jwt
import pytest
from playwright.async_api import Browser, expect

from app import demo as demo_module
from app.web.browser.assets import STATIC
from tests.harness.browser import Visit, open_visit
from tests.harness.commands import ServeCommand, start_serve
from tests.harness.demo_page import open_demo
from tests.harness.node import FOLDER, Run
from tests.harness.server import Server

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}
FILES = sorted(path.name for path in (STATIC / "demo").iterdir() if path.suffix != ".html")
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServeCommand]:
    with start_serve(tmp_path_factory.mktemp("demo"), "--demo", "--port", "0", auth_secret=None) as server:
        yield server


@pytest.fixture
async def visit(browser: Browser, running: ServeCommand) -> AsyncGenerator[Visit]:
    async with open_visit(browser, running.address) as visit:
        yield visit


def read(running: ServeCommand, path: str) -> httpx2.Response:
    return httpx2.get(f"http://{running.address}{path}")


@pytest.mark.parametrize("path", ["/demo", "/demo/tenants", "/demo/main.js"])
def test_without_demo_there_is_no_demo_page(sqlite_server: Server, path: str) -> None:
    assert sqlite_server.client.get(path).status_code == 404


def test_the_greeting_names_the_address_of_the_page(running: ServeCommand) -> None:
    assert any(line.endswith(f" http://{running.address}/demo") for line in running.greeting)


def test_the_content_security_policy_of_the_page_allows_nothing_foreign(running: ServeCommand) -> None:
    page = read(running, "/demo")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert {part.strip() for part in page.headers["content-security-policy"].split(";")} == POLICY
    assert (page.headers["x-content-type-options"], page.headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize("name", FILES)
def test_each_file_of_the_page_has_its_media_type(running: ServeCommand, name: str) -> None:
    file = read(running, f"/demo/{name}")

    assert file.status_code == 200
    assert file.headers["content-type"] == f"text/{'css' if name.endswith('.css') else 'javascript'}; charset=utf-8"
    assert file.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["index.html", "%2e%2e%2fresumable.js", "..%2fresumable.js", "../demo.py", "no.js"])
def test_only_the_files_of_the_page_are_served_below_it(running: ServeCommand, path: str) -> None:
    assert read(running, f"/demo/{path}").status_code == 404


def test_the_tenants_are_listed_with_fresh_tokens_that_last_an_hour(running: ServeCommand) -> None:
    answer = read(running, "/demo/tenants")
    tenants: list[dict[str, Any]] = answer.json()

    assert answer.headers["cache-control"] == "no-store"
    assert {one["tenantId"]: one["story"] for one in tenants} == demo_module.TENANTS
    for tenant in tenants:
        assert set(tenant) == {"tenantId", "story", "token"}
        claims = jwt.decode(tenant["token"], options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == 3600
        body = {"query": "{ viewer { id } }"}
        own = httpx2.post(running.url, json=body, headers={"authorization": f"Bearer {tenant['token']}"})
        assert own.json() == {"data": {"viewer": {"id": tenant["tenantId"]}}}


async def test_the_policy_holds_in_a_browser(visit: Visit) -> None:
    demo = await open_demo(visit)

    failed = await demo.page.evaluate("fetch('https://images.example.org/').then(() => 'came', (error) => error.name)")
    ran = await demo.page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'window.ran = true';"
        " document.head.append(one); return Boolean(window.ran); }"
    )

    assert (failed, ran) == ("TypeError", False)
    assert any("connect-src" in said for said in visit.errors)
    visit.errors.clear()
    visit.foreign_urls.clear()


@pytest.mark.long
async def test_the_handshake_on_a_phone_needs_no_horizontal_scrolling(browser: Browser, running: ServeCommand) -> None:
    async with open_visit(browser, running.address, **PHONE) as visit:
        demo = await open_demo(visit)
        await demo.register_and_offer("a-rather-long-name-of-an-image-without-any-space-to-break-it-at")
        await demo.offer("somebody")
        card = demo.consumer.panel.locator("[data-list=PENDING] .card").first
        await card.get_by_role("button", name="Accept").click()
        await expect(demo.producer.status("a-rather-long-name")).to_have_text("✓ ACCEPTED")
        await demo.consumer.disconnect()
        await demo.consumer.reconnect()
        await expect(demo.consumer.connection_switch).to_contain_text("0 changes caught up, none missed")

        widths = await demo.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        outside = await demo.page.evaluate(
            "[...document.querySelectorAll('main *:not(.unseen)')].filter((one) => !one.closest('thead')"
            " && one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80))"
        )

    assert widths == [PHONE["width"], PHONE["width"]]
    assert outside == []


@pytest.mark.parametrize(
    ("scheme", "size"),
    [
        pytest.param("light", {}, id="desktop-light"),
        pytest.param("dark", PHONE, id="phone-dark"),
        pytest.param("dark", {}, id="desktop-dark", marks=pytest.mark.long),
        pytest.param("light", PHONE, id="phone-light", marks=pytest.mark.long),
    ],
)
async def test_axe_finds_no_violations(
    browser: Browser, running: ServeCommand, node: Run, scheme: Any, size: dict[str, int]
) -> None:
    async with open_visit(browser, running.address, **size) as visit:
        demo = await open_demo(visit)
        await demo.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await demo.register_and_offer(f"seen-by-axe-{scheme}-{size.get('width')}")
        await demo.offer("somebody")
        await demo.consumer.disconnect()
        await expect(demo.page.locator(".news")).to_have_count(0)
        await demo.page.evaluate((FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text())
        found = await demo.page.evaluate("axe.run()")

    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found["violations"]] == []
    assert len(found["passes"]) > 20


@pytest.mark.long
async def test_headings_regions_and_fields_have_names(visit: Visit) -> None:
    page = (await open_demo(visit)).page

    for level, names in {1: ["Image sharing, live"], 2: ["Try this first", "Producer", "Consumer", "The log"]}.items():
        await expect(page.get_by_role("heading", level=level)).to_have_text(names)
    for name in ("Name", "Source URL", "To tenant ID"):
        await expect(page.get_by_role("textbox", name=name, exact=True)).to_be_visible()
    for name in ("Origin", "Image"):
        await expect(page.get_by_role("combobox", name=name, exact=True)).to_be_visible()
    await expect(page.get_by_role("combobox", name="Acts as tenant", exact=True)).to_have_count(2)
    unnamed = "[...document.querySelectorAll('button')].filter((one) => !(one.ariaLabel || one.textContent.trim()))"
    assert await page.evaluate(f"{unnamed}.length") == 0


async def test_an_offer_can_be_answered_by_keyboard_and_keeps_the_focus(visit: Visit) -> None:
    demo = await open_demo(visit)
    page = demo.page
    await demo.register_and_offer("by-keyboard")
    await expect(demo.consumer.card("by-keyboard")).to_be_visible()
    await page.reload()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the two sides")).to_be_focused()
    button = demo.consumer.card("by-keyboard").get_by_role("button", name="Accept")
    await expect(button).to_be_visible()
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await button.evaluate("one => one === document.activeElement"):
            break
    await page.keyboard.press("Enter")

    await expect(demo.consumer.status("by-keyboard")).to_have_text("✓ ACCEPTED")
    await expect(demo.consumer.card("by-keyboard")).to_be_focused()


@pytest.mark.long
async def test_a_screen_reader_announces_each_change_once(visit: Visit) -> None:
    demo = await open_demo(visit)
    await demo.page.evaluate(
        "() => { window.said = []; const news = document.getElementById('news');"
        " new MutationObserver(() => window.said.push(news.textContent)).observe(news, { childList: true }); }"
    )
    await demo.register_and_offer("announced")
    await demo.consumer.answer("announced", "Accept")
    await expect(demo.producer.status("announced")).to_have_text("✓ ACCEPTED")
    await demo.consumer.disconnect()
    await expect(demo.page.get_by_role("status")).to_contain_text("Consumer 2002: The connection is cut.")

    said = " ".join(await demo.page.evaluate("window.said"))
    assert said.count("announced: Tenant 1001 offered it to tenant 2002.") == 1
    assert said.count("announced: Tenant 2002 accepted it.") == 1


@pytest.mark.long
async def test_reduced_motion_is_respected(visit: Visit) -> None:
    demo = await open_demo(visit)
    motion: tuple[tuple[Literal["no-preference", "reduce"], str], ...] = (("no-preference", "glow"), ("reduce", "none"))
    for setting, animation in motion:
        await demo.page.emulate_media(reduced_motion=setting)
        await demo.register_and_offer(f"moving-{setting}")
        row = demo.producer.log_rows().first
        assert await row.evaluate("row => getComputedStyle(row).animationName") == animation
