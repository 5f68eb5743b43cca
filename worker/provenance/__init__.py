"""Content Credentials (C2PA): who made a file, of what, with what; signed, and read back."""

from worker.provenance.actions import UNSIGNED, sign_delivery
from worker.provenance.credentials import Credentials
from worker.provenance.packages import ProvenanceUnusable
from worker.provenance.trial import try_signing
from worker.provenance.vendor import Vendor, may_be_read

__all__ = [
    "UNSIGNED",
    "Credentials",
    "ProvenanceUnusable",
    "Vendor",
    "may_be_read",
    "sign_delivery",
    "try_signing",
]
