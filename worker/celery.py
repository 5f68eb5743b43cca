"""`celery -A worker.celery`: the one place that reads the environment at import."""

from worker.app import create_app
from worker.settings import Settings, unknown
from worker.startup import or_exit

app = or_exit(lambda: create_app(Settings.from_env()))
unknown.warn()
