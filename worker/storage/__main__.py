"""``python -m worker.storage URL``: exit with 1 and print a sentence if it cannot be written to."""

import sys

from worker.errors import Failure
from worker.storage.health import probe
from worker.storage.storage import Storage

if __name__ == "__main__":
    try:
        probe(Storage.existing(sys.argv[1]))
    except (Failure, ValueError) as error:
        sys.exit(getattr(error, "sentence", str(error)))
