"""`celery -A worker.celery`: the one place that reads the environment at import."""

from worker.app import create_app
from worker.settings import Settings, unknown
from worker.startup import exit_on_error

app = exit_on_error(lambda: create_app(Settings.from_env()))
unknown.warn()
