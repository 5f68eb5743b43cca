"""Whether this process still works: its main loop and the threads of its pool, noted in a file."""
