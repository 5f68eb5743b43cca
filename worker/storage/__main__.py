"""`python -m worker.storage URL [--new]`: try the storage, and print its id.

Exit with REFUSED and a sentence if it cannot be written to. `--new` gives it an id if it has none.
"""

import sys

from worker.errors import Failure
from worker.storage.health import REFUSED, probe
from worker.storage.identity import identify
from worker.storage.storage import Storage

if __name__ == "__main__":
    try:
        storage = Storage.existing(sys.argv[1])
        probe(storage)
        sys.stdout.write(identify(storage, new="--new" in sys.argv[2:]))
    except (Failure, ValueError) as error:
        sys.stderr.write(f"{getattr(error, 'sentence', error)}\n")
        sys.exit(REFUSED)
