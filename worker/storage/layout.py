"""The keys of a job's files in storage.

work/{job}/source.mp4             the result, byte for byte
work/{job}/video.mp4, …           the outputs, tagged and checked
published/{job}/…                 copies of the outputs, and manifest.json, which is written last:
                                  its existence means "published"
"""

SOURCE = "source.mp4"
MANIFEST = "manifest.json"


def work_prefix(job_id: str) -> str:
    """Return the prefix of all intermediate files of a job."""
    return f"work/{job_id}"


def work_key(job_id: str, name: str) -> str:
    """Return the key of an intermediate file."""
    return f"{work_prefix(job_id)}/{name}"


def published_key(job_id: str, name: str) -> str:
    """Return the key of a published file."""
    return f"published/{job_id}/{name}"


def storage_key(name: str) -> str:
    """Return the key of the bytes of `upload://{name}`."""
    return f"uploads/{name}"
