"""What speaks against a session although its challenges pass: repeated video, flat or other faces.

Pure, as the challenges are: Observations in, findings out; no clock, no network.
"""
