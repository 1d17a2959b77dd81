"""What the page promises about pictures is what the server does."""

from aiohttp import ClientSession

from liveness.testing.fixtures import LivenessServer, ServerFactory
from tests.browser.visit import Visitor

KEY = "bank-key-of-43-characters"
NOTHING = "No picture or video is stored."
PICTURES = "A few pictures of your face are stored, encrypted, for whoever asked for this check."


async def test_the_page_says_that_nothing_is_kept(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    page = (await visit(liveness_server.url)).page
    await page.get_by_text(NOTHING).wait_for()
    await page.goto(f"{liveness_server.url}/success")
    await page.locator("[data-kept]", has_text=NOTHING).wait_for(state="attached")


async def test_the_page_says_that_pictures_are_kept(
    liveness_servers: ServerFactory, visit: Visitor
) -> None:
    server = await liveness_servers(keep_evidence=True, api_key=(KEY,))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        ClientSession(server.url, headers=headers) as client,
        client.post("/api/sessions") as response,
    ):
        link = (await response.json())["page_url"]
    page = (await visit(link)).page
    await page.get_by_text(PICTURES).wait_for()
    assert await page.get_by_text(NOTHING).count() == 0


async def test_the_page_promises_nothing_that_it_does_not_know(
    liveness_server: LivenessServer, visit: Visitor
) -> None:
    visitor = await visit(liveness_server.url)
    await visitor.page.route("**/api/page", lambda route: route.abort())
    await visitor.page.reload()
    await visitor.page.get_by_text("is checked there live").wait_for()
    assert await visitor.page.locator("[data-kept]").text_content() == ""
    visitor.errors.clear()  # the page that could not be asked
