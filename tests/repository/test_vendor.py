"""Programs of others in the tests are those that were looked at."""

import hashlib
import re

from tests import ROOT

VENDOR = ROOT / "tests" / "vendor"


def test_files_have_the_hashes_of_the_list() -> None:
    """Each program is in the list of its README, with its SHA-256."""
    table = (VENDOR / "README.md").read_text()
    listed = dict(re.findall(r"^\| `(\S+)` .*`(\w{64})` \|$", table, re.MULTILINE))
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*.js")
    }
    assert listed == found
