"""Events of jobs over HTTP: live streams, pages, and cursors that are stored by name."""
