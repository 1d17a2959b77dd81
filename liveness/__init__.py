"""Tell whether a live person is in front of the camera."""

__version__ = "0.1.0"
