"""WebRTC: one peer, its video, and the text and addresses it comes with."""
