"""Tell whether a live person is in front of the camera."""
