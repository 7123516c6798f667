"""Page objects for the live demo."""

from typing import Any

import httpx2
from playwright.async_api import Locator, Page, expect

from tests.harness.browser import Visit
from tests.harness.commands import ServeCommand

EVENTS = """query($after: Cursor, $role: OfferRole) {
  offerEvents(after: $after, filter: {role: $role}) { nodes { cursor } pageInfo { hasNextPage } }
}"""


class Side:
    """One half of the page: the producer or the consumer."""

    def __init__(self, page: Page, role: str) -> None:
        self.role = role
        self.panel = page.get_by_role("region", name=role)
        self.connection_switch = self.panel.locator("line-switch")
        self._log = page.get_by_role("region", name="The log")

    def card(self, image: str) -> Locator:
        return self.panel.locator(".card").filter(has=self.panel.page.get_by_role("heading", name=image))

    def status(self, image: str) -> Locator:
        return self.card(image).locator("status-pill")

    def log_rows(self, item: str = "MemberStatusChanged") -> Locator:
        """The rows of the log for the items that this side has received, newest first."""
        return self._log.locator(f"tr[data-side={self.role.upper()}][data-item={item}]")

    async def expect_change(self, change: str, image: str, newer_rows: int = 0) -> Locator:
        """Expect this change of the image in the newest row, or in an older one, and return the row."""
        row = self.log_rows().nth(newer_rows)
        await expect(row.locator("[data-what]")).to_have_text(change)
        await expect(row.locator("[data-image]")).to_have_text(image)
        return row

    async def answer(self, image: str, button: str) -> None:
        await self.card(image).get_by_role("button", name=button).click()

    async def disconnect(self) -> str:
        """Cut the connection, and return the last cursor received over it."""
        await self.connection_switch.get_by_role("button", name="Cut the connection").click()
        await expect(self.connection_switch).to_contain_text("What you see here is as of")
        return str(await self.connection_switch.locator("[data-position]").get_attribute("title"))

    async def reconnect(self) -> None:
        await self.connection_switch.get_by_role("button", name="Reconnect").click()

    async def expect_live(self) -> None:
        await expect(self.connection_switch.locator("[data-state]")).to_have_text("Live")
        await expect(self.log_rows("WatchSynced")).not_to_have_count(0)

    async def cursors(self) -> list[str]:
        """The cursors of the changes that this side has received, oldest first."""
        found = await self.log_rows().evaluate_all("rows => rows.map((row) => row.dataset.cursor)")
        return list(reversed(found))


class DemoPage:
    """Both sides of one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.producer = Side(page, "Producer")
        self.consumer = Side(page, "Consumer")

    async def register(self, name: str) -> None:
        """Register an image; the page preselects it in the form for offers."""
        await self.producer.panel.get_by_role("textbox", name="Name").fill(name)
        await self.producer.panel.get_by_role("button", name="Register").click()
        await expect(self.producer.card(name)).to_be_visible()

    async def offer(self, tenant_id: str = "2002") -> None:
        await self.producer.panel.get_by_label("To tenant ID").fill(tenant_id)
        await self.producer.panel.get_by_role("button", name="Offer", exact=True).click()

    async def register_and_offer(self, name: str) -> None:
        await self.register(name)
        await self.offer()
        await expect(self.producer.status(name)).to_have_text("• PENDING")

    async def revoke(self, name: str, tenant_id: str = "2002") -> None:
        label = f"Revoke {name} from tenant {tenant_id}"
        await self.producer.panel.get_by_role("button", name=label).click()
        await expect(self.producer.status(name)).to_have_count(0)


async def open_demo(visit: Visit) -> DemoPage:
    """Open the page and wait until both of its watches are live."""
    demo = DemoPage(await visit.open("/demo"))
    await demo.producer.expect_live()
    await demo.consumer.expect_live()
    return demo


def query_demo(demo: ServeCommand, tenant_id: str, query: str, **variables: Any) -> Any:
    """Send an operation to the API as a tenant of the demo, without the page, and return its data."""
    headers = {"authorization": f"Bearer {demo.tokens[tenant_id]}"}
    response = httpx2.post(demo.url, json={"query": query, "variables": variables}, headers=headers).json()
    assert "errors" not in response, response
    return response["data"]


def logged_cursors(demo: ServeCommand, tenant_id: str, role: str, after: str | None = None) -> list[str]:
    """The cursors of one side's events in the log, oldest first."""
    cursors: list[str] = []
    has_more = True
    while has_more:
        page = query_demo(demo, tenant_id, EVENTS, after=cursors[-1] if cursors else after, role=role)["offerEvents"]
        cursors += [event["cursor"] for event in page["nodes"]]
        has_more = page["pageInfo"]["hasNextPage"]
    return cursors
