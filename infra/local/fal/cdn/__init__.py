"""The simulated CDN: uploaded inputs and result files."""
