"""Content Credentials (C2PA): who made a file, of what, with what; signed, and read back."""

from worker.provenance.credentials import Credentials, ProvenanceUnusable, sdk
from worker.provenance.signing import sign_delivery

__all__ = ["Credentials", "ProvenanceUnusable", "sdk", "sign_delivery"]
