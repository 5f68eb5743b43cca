"""Generated media files, valid and hostile."""
