"""HLS ladders of finished renditions."""

from worker.transcode.hls.ladder import build_ladder

__all__ = ["build_ladder"]
