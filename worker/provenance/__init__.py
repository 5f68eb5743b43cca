"""Content Credentials (C2PA): signed statements of who created a file, from what and with what."""

from worker.provenance.manifests import UNSIGNED, ends_signing, sign_delivery
from worker.provenance.sdk import ProvenanceUnusable
from worker.provenance.signer import Signer
from worker.provenance.source_credentials import SourceCredentials, may_be_read
from worker.provenance.trial_signature import try_signing

__all__ = [
    "UNSIGNED",
    "Signer",
    "ProvenanceUnusable",
    "SourceCredentials",
    "ends_signing",
    "may_be_read",
    "sign_delivery",
    "try_signing",
]
