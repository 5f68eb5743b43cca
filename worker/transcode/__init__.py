"""From a rendered clip to its outputs: plan, run ffmpeg, verify, tag, sign."""
