"""Every setting of every process, each once."""

from collections.abc import Mapping

from pydantic.fields import FieldInfo

from worker.settings.api import ApiListener
from worker.settings.metrics import MetricsListener
from worker.settings.settings import Settings


def every_setting() -> Mapping[str, FieldInfo]:
    """Return each setting by its name, in the order of the documents."""
    listeners = ApiListener.model_fields | MetricsListener.model_fields
    fields = (Settings.model_fields | listeners).values()
    return {str(field.alias): field for field in fields}
