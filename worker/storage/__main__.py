"""`python -m worker.storage URL`: exit with REFUSED and a sentence if it cannot be written to."""

import sys

from worker.errors import Failure
from worker.storage.health import REFUSED, probe
from worker.storage.storage import Storage

if __name__ == "__main__":
    try:
        probe(Storage.existing(sys.argv[1]))
    except (Failure, ValueError) as error:
        sys.stderr.write(f"{getattr(error, 'sentence', error)}\n")
        sys.exit(REFUSED)
