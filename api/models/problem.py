"""The body of an error, as RFC 9457 describes it."""

from pydantic import BaseModel, ConfigDict, Field

from api.problems import Retry


class FieldProblem(BaseModel):
    """One invalid field of a request: the same as the command line prints."""

    path: str = Field(description="Where the field is: `arguments.duration`, `prompt`.")
    value: str = Field(description="What was sent, shortened; never the text of a prompt.")
    message: str = Field(description="What the field must be.")
    hint: str = Field(description="The correction, if one is known.")


class Problem(BaseModel):
    """An error, and what to do next. https://www.rfc-editor.org/rfc/rfc9457"""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="Address of a page about the code.")
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, and the correction.")
    code: str = Field(description="The reason code, which never changes.")
    request_id: str = Field(description="Name it when you ask for help.")
    problems: list[FieldProblem] = Field(description="Every invalid field.")
    retry: Retry = Field(
        description="What to do: `same_key` repeat the request, with the same Idempotency-Key; "
        "`new_key` use another key; `after` repeat it after `retry_after` seconds, nothing was "
        "done; `never` correct it first."
    )
    retry_after: float | None = Field(description="Seconds to wait before repeating it.")
