"""``python -m worker.storage URL``: exit code 1 and a sentence where it cannot be written to."""

import sys

from worker.errors import Failure
from worker.storage.health import probe
from worker.storage.storage import Storage

if __name__ == "__main__":
    try:
        probe(Storage.existing(sys.argv[1]))
    except (Failure, ValueError) as fault:
        sys.exit(getattr(fault, "sentence", str(fault)))
