"""GraphiQL in a real browser."""

import json
import re
from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.harness.browser import Visit, open_visit
from tests.harness.commands import ServeCommand
from tests.harness.scenario import fresh_id
from tests.harness.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.engine("sqlite")]


@pytest.fixture
async def visit(browser: Browser, sqlite_server: Server) -> AsyncGenerator[Visit]:
    async with open_visit(browser, sqlite_server.base.removeprefix("http://")) as visit:
        yield visit


async def graphiql_as(visit: Visit, token: str) -> Page:
    """A GraphiQL tab into which a token has been pasted."""
    page = await visit.open("/")
    await page.get_by_label("Token").fill(f"Bearer {token}")
    return page


async def run(page: Page, tab: str, *, until: str) -> str:
    """Open an example, run it, wait until its response contains this text, and return the response without spaces."""
    await open_example(page, tab)
    return await execute(page, until)


async def execute(page: Page, until: str) -> str:
    await page.get_by_role("button", name="Execute").first.click()
    return await answer(page, until)


async def open_example(page: Page, tab: str) -> None:
    """Open an example once the editor has loaded."""
    editor = page.locator(".graphiql-query-editor .view-lines")
    await editor.wait_for()
    await page.get_by_role("tab", name=tab).click()
    await expect(editor).to_contain_text(tab)


async def answer(page: Page, until: str) -> str:
    """The response without spaces, once it contains this text."""
    spaced = r"\s*".join(re.escape(sign) for sign in until if sign != " ")
    shown = page.locator(".graphiql-response")
    await expect(shown).to_contain_text(re.compile(spaced))
    return re.sub(r"\s", "", await shown.inner_text())


async def test_the_examples_run_a_handshake_without_copying_an_id(visit: Visit, sqlite_server: Server) -> None:
    consumer_id = fresh_id()
    producer = await graphiql_as(visit, sqlite_server.token(fresh_id()))
    consumer = await graphiql_as(visit, sqlite_server.token(consumer_id))

    await run(producer, "Register", until='"name":"debian-13-golden"')
    await fill_in_consumer(producer, consumer_id)
    # Opening the tab again could restore its content from before it was filled in.
    await execute(producer, until=f'"status":"PENDING","tenant":{{"id":"{consumer_id}"}}')
    await run(producer, "Watch", until='"__typename":"WatchBookmark"')
    assert '"totalCount":1' in await run(consumer, "Inbox", until='"name":"debian-13-golden"')
    await run(consumer, "Accept", until='"status":"ACCEPTED"')

    assert '"kind":"ANSWERED"' in await answer(producer, until='"previousStatus":"PENDING"')


async def fill_in_consumer(page: Page, consumer_id: str) -> None:
    """Replace the consumer in the variables of the example."""
    await open_example(page, "Offer")
    await type_into(page, ".graphiql-editor-tool", {"input": {"imageId": "@last", "tenantIds": [consumer_id]}})
    # Before the paste has taken effect, the offer would go to the example's own consumer.
    await expect(page.locator(".graphiql-editor-tool .view-lines:visible").first).to_contain_text(consumer_id)


async def type_into(page: Page, place: str, value: object) -> None:
    """Replace the content of an editor."""
    await page.locator(f"{place} .graphiql-editor:visible").first.click()
    await page.keyboard.press("Control+A")
    # Pasted, because the editor completes brackets and quotes in typed text.
    await page.evaluate("(text) => navigator.clipboard.writeText(text)", json.dumps(value))
    await page.keyboard.press("Control+V")


@pytest.mark.long
async def test_the_authorization_header_of_the_editor_is_sent_over_the_websocket_too(
    visit: Visit, sqlite_server: Server
) -> None:
    page = await visit.open("/graphql")
    await open_example(page, "Watch")
    await page.get_by_role("button", name="Headers").click()
    await type_into(page, ".graphiql-editor-tool", {"Authorization": f"Bearer {sqlite_server.token(fresh_id())}"})

    assert '"cursor":' in await execute(page, until='"__typename":"WatchBookmark"')


async def test_without_a_token_the_response_says_what_to_send(visit: Visit) -> None:
    page = await visit.open("/")

    assert "UNAUTHENTICATED" in await run(page, "Inbox", until="Authorization: Bearer <token>")


async def test_an_invalid_token_is_reported_over_the_websocket_as_well(visit: Visit) -> None:
    page = await graphiql_as(visit, "nonsense")

    assert "4401" in await run(page, "Watch", until="Invalid token")


async def act_as(page: Page, tenant_id: str) -> None:
    await page.get_by_label("Act as").select_option(tenant_id)


@pytest.mark.long
async def test_two_tabs_of_the_demo_act_as_both_sides_without_a_token(browser: Browser, played: ServeCommand) -> None:
    async with open_visit(browser, played.address) as visit:
        producer, consumer = await visit.open("/"), await visit.open("/graphql")
        await act_as(producer, "1001")
        await act_as(consumer, "2002")

        await run(producer, "Register", until='"owner":{"id":"1001"}')
        await run(producer, "Offer", until='"status":"PENDING"')
        await run(producer, "Watch", until='"__typename":"WatchBookmark"')
        await run(consumer, "Accept", until='"status":"ACCEPTED"')

        assert '"tenant":{"id":"2002"}' in await answer(producer, until='"kind":"ANSWERED"')


@pytest.mark.long
async def test_a_tab_of_the_demo_keeps_its_tenant_on_reload(browser: Browser, played: ServeCommand) -> None:
    async with open_visit(browser, played.address) as visit:
        page = await visit.open("/")
        await act_as(page, "3003")
        await page.reload()

        await expect(page.get_by_label("Act as")).to_have_value("3003")
        assert '"cuda-13-training"' not in await run(page, "Inbox", until='"totalCount"')


@pytest.mark.long
async def test_docs_history_and_explorer_are_available(visit: Visit, sqlite_server: Server) -> None:
    page = await graphiql_as(visit, sqlite_server.token(fresh_id()))
    await run(page, "Inbox", until='"totalCount":0')

    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await (
        page.get_by_role("link", name="MemberStatusChanged").or_(page.get_by_text("MemberStatusChanged")).first.click()
    )
    await expect(page.locator(".graphiql-plugin")).to_contain_text("The position of the watch after this item")
    await page.get_by_role("button", name="Show History").click()
    await expect(page.locator(".graphiql-plugin")).to_contain_text("Inbox")
    await page.get_by_role("button", name="Show GraphiQL Explorer").click()
    await expect(page.locator(".graphiql-plugin")).to_contain_text("offerEvents")


@pytest.mark.long
async def test_the_first_example_survives_a_reload(visit: Visit) -> None:
    page = await visit.open("/")
    editor = page.locator(".graphiql-query-editor .view-lines")
    for _ in range(2):
        await expect(editor).to_contain_text("mutation Register")
        assert await page.get_by_role("tab").count() == 5
        await page.reload()


async def test_a_watch_whose_token_has_expired_ends_and_says_so(visit: Visit, sqlite_server: Server) -> None:
    page = await graphiql_as(visit, sqlite_server.token(fresh_id(), ttl=-60))

    assert "4403" in await run(page, "Watch", until="The token has expired")


@pytest.mark.long
async def test_closing_a_tab_discards_its_token(visit: Visit, sqlite_server: Server) -> None:
    page = await graphiql_as(visit, sqlite_server.token(fresh_id()))
    await page.close()

    anew = await visit.open("/")
    await expect(anew.get_by_label("Token")).to_have_value("")
