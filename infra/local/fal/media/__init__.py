"""Generated media files."""
