"""The simulated CDN: uploads and result files."""
