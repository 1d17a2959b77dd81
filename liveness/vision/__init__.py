"""From pixels to one `Observation` a frame; pure: no network, no clock."""
