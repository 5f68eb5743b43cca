"""The settings of the pipeline, each declared once with its description."""
