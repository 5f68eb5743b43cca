"""`celery -A worker.celery`: the only module that reads the environment when it is imported."""

from webhook.log import capture_output
from worker.app import create_app
from worker.settings import unknown
from worker.settings.settings import Settings
from worker.startup import exit_on_error

capture_output()
app = exit_on_error(lambda: create_app(Settings.from_env()))
unknown.warn()
