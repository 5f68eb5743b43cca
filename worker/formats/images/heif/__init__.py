"""The boxes of HEIF and AVIF files."""
