"""The receiver's settings, and how settings are read from the environment."""
