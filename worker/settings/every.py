"""Every setting of every process, each once."""

from collections.abc import Mapping

from pydantic.fields import FieldInfo

from worker.settings.api import ApiListener
from worker.settings.settings import Settings


def every_setting() -> Mapping[str, FieldInfo]:
    """Return each setting by its name, in the order of the documents."""
    fields = (Settings.model_fields | ApiListener.model_fields).values()
    return {str(field.alias): field for field in fields}
