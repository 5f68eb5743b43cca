"""What the scopes of a key allow."""

import pytest

from worker.api_keys.scopes import USUAL, Scope, allows


@pytest.mark.parametrize("needed", Scope)
def test_a_scope_allows_itself(needed: Scope) -> None:
    """A key with one scope may do what needs it, and nothing else; admin may do everything."""
    allowed = [granted for granted in Scope if allows({granted}, needed)]
    assert [*dict.fromkeys((needed, Scope.ADMIN))] == allowed


def test_no_scope_allows_nothing() -> None:
    """A key without scopes is refused everywhere."""
    assert [] == [needed for needed in Scope if allows((), needed)]


def test_the_usual_scopes_are_no_admins() -> None:
    """Whoever chooses no scope does not get the keys of others."""
    assert (False, True) == (allows(USUAL, Scope.ADMIN), allows(USUAL, Scope.CREATE))
