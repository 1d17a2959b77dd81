"""Rendered poses of a portrait, kept: what makes puppets cheap enough for real time."""

from collections.abc import Callable

from liveness.testing.raster import Picture

YAW_STEP = 1.5  # degrees: two pixels of the nose at 640x480, less than a head sways
CLOSURE_STEPS = 4  # lids are drawn open, shut, and three times between
WARM_YAW = 36.0  # degrees each way, rendered ahead


class Poses:
    """Scenes of one portrait, without noise, shared by all who show it; thread-safe.

    They are never thrown away: a session needs about 60 of them, 55 MB at 640x480.
    """

    def __init__(self, render: Callable[[float, float], Picture]) -> None:
        """`render`: draws a yaw in degrees and a closure 0..1 of both lids."""
        self._render = render
        self._scenes: dict[tuple[float, float], Picture] = {}

    @staticmethod
    def nearest(yaw: float, closure: float) -> tuple[float, float]:
        """Tell which pose `scene` shows."""
        return round(yaw / YAW_STEP) * YAW_STEP, round(closure * CLOSURE_STEPS) / CLOSURE_STEPS

    def scene(self, yaw: float, closure: float = 0.0) -> Picture:
        """Return the nearest pose, read-only. `yaw` in degrees, `closure` of both lids 0..1."""
        key = self.nearest(yaw, closure)
        scene = self._scenes.get(key)
        if scene is None:
            scene = self._render(*key)
            scene.flags.writeable = False
            self._scenes[key] = scene
        return scene

    def warm_up(self, rest_yaw: float = 0.0) -> None:
        """Render ahead what a session needs: turns both ways and a blink, about half a second."""
        for closure in range(CLOSURE_STEPS + 1):
            self.scene(rest_yaw, closure / CLOSURE_STEPS)
        for step in range(round(-WARM_YAW / YAW_STEP), round(WARM_YAW / YAW_STEP) + 1):
            self.scene(rest_yaw + step * YAW_STEP)
