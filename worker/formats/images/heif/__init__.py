"""HEIF and AVIF boxes."""
