"""The work of each Celery task, one module per task, and its helpers."""
