"""Readers and writers of media files, without decoders and independent of jobs."""
