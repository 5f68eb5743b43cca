"""Media files read, tagged and rewritten without a decoder; knows nothing of jobs."""
