"""The live demo page in a real browser, on SQLite and with two workers on PostgreSQL."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.harness.browser import Visit, open_visit
from tests.harness.commands import ServeCommand, start_serve
from tests.harness.demo_page import DemoPage, logged_cursors, open_demo, query_demo
from tests.harness.scenario import fresh_id

pytestmark = [pytest.mark.slow, pytest.mark.engine("sqlite")]

ANSWER = """mutation($input: RejectOfferInput!, $back: DeferOfferInput!) {
  rejectOffer(input: $input) { errors { message } } deferOffer(input: $back) { errors { message } }
}"""


@pytest.fixture
async def visit(browser: Browser, played: ServeCommand) -> AsyncGenerator[Visit]:
    async with open_visit(browser, played.address) as visit:
        yield visit


@pytest.fixture
async def demo(visit: Visit) -> DemoPage:
    return await open_demo(visit)


@pytest.fixture
def image() -> str:
    """A name that no other test uses."""
    return f"image-{fresh_id()}"


@pytest.mark.engine("sqlite", "postgres")
async def test_each_side_of_a_handshake_immediately_sees_what_the_other_does(demo: DemoPage, image: str) -> None:
    await demo.register(image)
    await expect(demo.producer.card(image)).to_contain_text("Offered to nobody.")
    await demo.offer()
    await expect(demo.consumer.status(image)).to_have_text("• PENDING")
    await demo.consumer.answer(image, "Accept")

    await expect(demo.producer.status(image)).to_have_text("✓ ACCEPTED")
    await expect(demo.consumer.panel.locator("[data-list=ACCEPTED]")).to_contain_text(image)
    await expect(demo.page.locator("first-steps .count")).to_have_text("3 of 4 done")


@pytest.mark.long
async def test_the_log_describes_each_received_item_with_its_cursor(demo: DemoPage, image: str) -> None:
    await demo.register_and_offer(image)
    await expect(demo.consumer.status(image)).to_be_visible()
    await demo.consumer.answer(image, "Reject")

    for side, tenant_id in ((demo.producer, "1001"), (demo.consumer, "2002")):
        answered = await side.expect_change("Tenant 2002 rejected it", image)
        offered = await side.expect_change("Tenant 1001 offered it to tenant 2002", image, newer_rows=1)
        await expect(answered).to_contain_text(f"{side.role} {tenant_id}")
        await expect(answered.locator("status-pill")).to_have_text(["• PENDING", "✕ REJECTED"])
        await expect(offered.locator("td.status")).to_have_text("new → • PENDING")
        cursor = await answered.get_attribute("data-cursor")
        assert await answered.locator("code").get_attribute("title") == cursor
        await answered.get_by_role("button", name="Copy the cursor").click()
        await expect(answered.get_by_text("Copied")).to_be_visible()
        assert await demo.page.evaluate("navigator.clipboard.readText()") == cursor


async def test_a_disconnected_side_catches_up_without_loss_or_duplicates(
    demo: DemoPage, played: ServeCommand, image: str
) -> None:
    kept, withdrawn = f"{image}-kept", f"{image}-withdrawn"
    heard_before = len(await demo.consumer.cursors())
    cursor = await demo.consumer.disconnect()
    await demo.register_and_offer(kept)
    await demo.register_and_offer(withdrawn)
    await demo.revoke(withdrawn)
    assert len(await demo.consumer.cursors()) == heard_before
    await expect(demo.consumer.card(kept)).to_have_count(0)

    await demo.consumer.reconnect()

    outcome = f"esumed after cursor {cursor[:10]}…: 3 changes caught up, none missed"
    await expect(demo.consumer.connection_switch).to_contain_text(outcome)
    await expect(demo.page.locator("tr.divider[data-missed='0']")).to_contain_text(f"Consumer 2002 r{outcome}")
    await expect(demo.consumer.status(kept)).to_have_text("• PENDING")
    await expect(demo.consumer.card(withdrawn)).to_have_count(0)
    assert (await demo.consumer.cursors())[heard_before:] == logged_cursors(played, "2002", "CONSUMER", cursor)

    await demo.consumer.answer(kept, "Accept")
    await demo.consumer.expect_change("Tenant 2002 accepted it", kept)
    await expect(demo.producer.status(kept)).to_have_text("✓ ACCEPTED")
    assert (await demo.consumer.cursors())[heard_before:] == logged_cursors(played, "2002", "CONSUMER", cursor)


@pytest.mark.long
async def test_the_producer_can_be_disconnected_as_well(demo: DemoPage, image: str) -> None:
    await demo.register_and_offer(image)
    await demo.producer.disconnect()
    await demo.consumer.answer(image, "Accept")
    await expect(demo.consumer.status(image)).to_have_text("✓ ACCEPTED")
    await expect(demo.producer.status(image)).to_have_text("• PENDING")

    await demo.producer.reconnect()

    await expect(demo.producer.connection_switch).to_contain_text("1 change caught up, none missed")
    await expect(demo.producer.status(image)).to_have_text("✓ ACCEPTED")


@pytest.mark.long
async def test_a_revoked_member_disappears_from_both_sides(demo: DemoPage, image: str) -> None:
    await demo.register_and_offer(image)
    await demo.consumer.answer(image, "Accept")
    await expect(demo.producer.status(image)).to_have_text("✓ ACCEPTED")

    await demo.revoke(image)

    await expect(demo.producer.card(image)).to_contain_text("Offered to nobody.")
    await expect(demo.consumer.card(image)).to_have_count(0)
    row = await demo.consumer.expect_change("Tenant 1001 revoked it from tenant 2002", image)
    await expect(row.locator("td.status")).to_have_text("✓ ACCEPTED → ended")


@pytest.mark.long
async def test_the_consumer_can_defer_and_change_its_mind(demo: DemoPage, image: str) -> None:
    await demo.register_and_offer(image)
    for deed, status in (("Reject", "✕ REJECTED"), ("Decide later", "• PENDING"), ("Accept", "✓ ACCEPTED")):
        await demo.consumer.answer(image, deed)
        await expect(demo.consumer.status(image)).to_have_text(status)
        await expect(demo.producer.status(image)).to_have_text(status)


@pytest.mark.long
async def test_changes_made_through_the_api_appear_on_the_page(demo: DemoPage, played: ServeCommand) -> None:
    registering = """mutation { registerImage(input: {name: "by curl", origin: SNAPSHOT, serverId: "srv-1"}) {
      image { id } } }"""
    image_id = query_demo(played, "1001", registering)["registerImage"]["image"]["id"]
    offering = "mutation($input: OfferImageInput!) { offerImage(input: $input) { errors { message } } }"
    query_demo(played, "1001", offering, input={"imageId": image_id, "tenantIds": ["2002"]})

    await expect(demo.producer.status("by curl")).to_have_text("• PENDING")
    await expect(demo.consumer.card("by curl")).to_contain_text("from tenant 1001")


@pytest.mark.long
async def test_either_side_can_switch_to_another_tenant(demo: DemoPage, image: str) -> None:
    await demo.consumer.panel.get_by_label("Acts as tenant").select_option("3003")
    await expect(demo.consumer.card("debian-13-hardened")).to_be_visible()
    await expect(demo.consumer.card("postgres-18-replica")).to_have_count(0)
    await expect(demo.producer.panel.get_by_label("To tenant ID")).to_have_value("3003")

    await demo.register(image)
    await demo.offer("3003")

    await expect(demo.consumer.status(image)).to_have_text("• PENDING")


async def test_an_error_appears_where_it_arose_and_disappears_once_resolved(demo: DemoPage, image: str) -> None:
    form = demo.producer.panel.get_by_role("form", name="Offer an image")
    await demo.register(image)
    await demo.offer("somebody")
    await expect(form.get_by_role("alert")).to_contain_text("(BAD_USER_INPUT)")
    await demo.offer()
    await expect(form.get_by_role("alert")).to_have_count(0)
    await expect(demo.producer.status(image)).to_be_visible()
    await demo.offer()
    await expect(form.get_by_role("alert")).to_contain_text("(CONFLICT)")
    await demo.producer.panel.get_by_role("textbox", name="Name").fill("")
    await demo.producer.panel.get_by_role("button", name="Register").click()
    await expect(
        demo.producer.panel.get_by_role("form", name="Register an image").get_by_role("alert")
    ).to_contain_text("(BAD_USER_INPUT)")


@pytest.mark.long
async def test_the_log_keeps_the_newest_200_rows(demo: DemoPage, played: ServeCommand, image: str) -> None:
    await demo.register_and_offer(image)
    image_id = await demo.consumer.card(image).evaluate("card => card.imageId")
    for _ in range(60):
        query_demo(played, "2002", ANSWER, input={"imageId": image_id}, back={"imageId": image_id})

    await expect(demo.consumer.log_rows().first).to_have_attribute(
        "data-cursor", logged_cursors(played, "2002", "CONSUMER")[-1]
    )
    await expect(demo.page.locator("tbody tr")).to_have_count(200)


@pytest.mark.long
async def test_the_page_starts_over_when_the_demo_restarts(browser: Browser, tmp_path: Path, image: str) -> None:
    with start_serve(tmp_path, "--demo", "--port", "0", auth_secret=None) as first:
        async with open_visit(browser, first.address) as visit:
            demo = await open_demo(visit)
            await demo.register_and_offer(image)
            first.stop()
            await expect(demo.producer.connection_switch).to_contain_text("Reconnecting…")
            await demo.offer()
            await expect(demo.producer.panel.get_by_role("alert").first).to_contain_text(
                "be reached. Is it still running?"
            )
            with start_serve(tmp_path, "--demo", "--port", first.port, auth_secret=None):
                for side in (demo.producer, demo.consumer):
                    await expect(side.connection_switch.locator("[data-state]")).to_have_text("Live")
                    await expect(side.card("debian-13-hardened")).to_be_visible()
                    await expect(side.card(image)).to_have_count(0)
                await expect(demo.page.get_by_text("the gateway keeps another log now")).to_have_count(2)
            refused = [said for said in visit.errors if "net::ERR_" in said]
            assert visit.errors == refused
            visit.errors.clear()


async def test_a_name_is_bidirectionally_isolated_from_the_surrounding_text(demo: DemoPage, image: str) -> None:
    name = f"\u05d0\u05d1\u05d2 {image}"

    await demo.register_and_offer(name)

    for side in (demo.producer, demo.consumer):
        await expect(side.card(name).locator("h4 bdi")).to_have_text(name)
        await expect(side.log_rows().first.locator("td.image bdi")).to_have_text(name)
    option = demo.producer.panel.locator("option").filter(has_text=image)
    assert await option.text_content() == f"\u2068{name}\u2069", "an option holds no element"
    label = await demo.consumer.card(name).locator("[data-answer=ACCEPTED]").get_attribute("aria-label")
    assert label == f"Accept: \u2068{name}\u2069"
