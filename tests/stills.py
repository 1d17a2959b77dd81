"""Single pictures as the seeds' clients send them."""

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
from aiohttp import ClientResponse, ClientSession, FormData

from liveness.testing.portrait import Portrait
from liveness.testing.raster import Picture

FRAME, FRAMES, UPLOAD = "/api/process-frame", "/api/liveness-detection", "/upload"


def jpeg(picture: Picture, quality: int = 90) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def data_url(content: bytes, kind: str = "jpeg") -> str:
    """What `canvas.toDataURL` gives."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


@dataclass(frozen=True)
class Poser:
    """Somebody who is photographed: angles in degrees from the camera's axis."""

    portrait: Portrait

    def photograph(self, yaw: float = 0.0, closure: float = 0.0) -> bytes:
        pose = yaw - self.portrait.rest_yaw
        return jpeg(self.portrait.render(yaw=pose, blink_right=closure, blink_left=closure))

    def frame(self, challenge: str, yaw: float = 0.0, closure: float = 0.0) -> dict[str, str]:
        """The first seed's own words for a picture."""
        return {"challenge": challenge, "frame": data_url(self.photograph(yaw, closure))}


def form(picture: bytes, **fields: str) -> FormData:
    """The second seed's form, as its telephone app fills it in."""
    made = FormData(fields)
    made.add_field("picture", BytesIO(picture), filename="picture.jpg", content_type="image/jpeg")
    return made


async def ask(client: ClientSession, path: str, **sent: Any) -> tuple[int, dict[str, Any]]:
    async with client.post(path, **sent) as response:
        return await answer(response)


async def answer(response: ClientResponse) -> tuple[int, dict[str, Any]]:
    assert response.content_type == "application/json", await response.text()
    body: dict[str, Any] = await response.json()
    return response.status, body
