"""What a test of the page works with: the page that somebody has opened."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from playwright.async_api import Page

SCREENSHOTS = Path(__file__).parent / "screenshots"
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
FAKE_CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


@dataclass(frozen=True)
class Visit:
    """A page that somebody has opened; `errors` is what its console complained about."""

    page: Page
    errors: list[str] = field(default_factory=list)

    async def start(self) -> None:
        await self.page.click("#start-button")

    async def heading(self, text: str) -> None:
        """Wait until the view with this heading is seen, and its heading has the focus."""
        heading = self.page.get_by_role("heading", level=1, name=text, exact=True)
        await heading.wait_for(timeout=30_000)
        assert await heading.evaluate("heading => heading === document.activeElement")

    async def shoot(self, name: str) -> None:
        """Keep a picture of each size for whoever looks at them."""
        before = self.page.viewport_size
        for size, (width, height) in SIZES.items():
            await self.page.set_viewport_size({"width": width, "height": height})
            await self.page.wait_for_timeout(350)  # views come up softly
            await self.page.screenshot(path=SCREENSHOTS / f"{name}-{size}.png")
        if before:
            await self.page.set_viewport_size(before)


class Visitor(Protocol):
    """Opens the page in a browser of its own.

    `behaviour`: see `person.js`; `flags`: of Chromium, beside `QUIET`; `options`: of its context.
    """

    def __call__(
        self,
        url: str,
        *,
        behaviour: dict[str, Any] | None = None,
        flags: tuple[str, ...] = FAKE_CAMERA,
        **options: Any,
    ) -> Awaitable[Visit]: ...
