"""What a person is asked to do, and whether they did it; pure: Observations in, progress out.

Time is the time of the frames. Nothing here has a clock, so a video file, a test and a live peer
all go through the same code.
"""
