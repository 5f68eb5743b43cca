"""Transcoding of a rendered clip: plan, run ffmpeg, verify, tag, sign."""
