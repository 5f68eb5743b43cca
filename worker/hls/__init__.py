"""HLS ladders of finished renditions."""

from worker.hls.ladder import ladder

__all__ = ["ladder"]
