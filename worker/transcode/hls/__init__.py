"""HLS ladders of finished renditions."""

from worker.transcode.hls.ladder import ladder

__all__ = ["ladder"]
