"""What a probe of `falhook check` raises if something works but deserves attention."""


class CheckWarning(Exception):
    """A sentence about something that works but deserves attention."""
