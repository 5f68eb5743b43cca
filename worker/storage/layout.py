"""Where a job's files lie in storage.

work/{job}/source.mp4             the result, to the byte
work/{job}/video.mp4, …           the delivery, tagged and checked
published/{job}/…                 the same, put in place, and manifest.json, which is written last
                                  and is what "published" means
"""

SOURCE = "source.mp4"
MANIFEST = "manifest.json"


def work_prefix(job_id: str) -> str:
    """The folder of all intermediate files of a job."""
    return f"work/{job_id}"


def work_key(job_id: str, name: str) -> str:
    """The key of an intermediate file."""
    return f"{work_prefix(job_id)}/{name}"


def published_key(job_id: str, name: str) -> str:
    """The key of a published file."""
    return f"published/{job_id}/{name}"


def storage_key(name: str) -> str:
    """Where storage keeps the bytes of `upload://{name}`."""
    return f"uploads/{name}"
