"""API keys."""

from pydantic import BaseModel, ConfigDict, Field

from worker.api_keys.scopes import USUAL, Scope


class KeyCreation(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Who uses it.", examples=["web-shop"], max_length=200)
    tenant: str | None = Field(default=None, description="By default the tenant of your own key.")
    scopes: list[Scope] = Field(
        default_factory=lambda: sorted(USUAL),
        description="By default all but `endpoints`, `scale` and `admin`.",
    )
    expires_at: float | None = Field(
        default=None, allow_inf_nan=False, description="Unix seconds; by default never."
    )


class Key(BaseModel):
    """What is known of a key: all but its secret."""

    id: str = Field(description="Public: it names the key, and cannot be used as one.")
    name: str
    tenant: str
    scopes: list[Scope]
    created_at: float
    expires_at: float | None
    last_used_at: float | None = Field(description="In Unix seconds, to the minute.")
    revoked_at: float | None


class NewKey(BaseModel):
    """A key that was made; nothing shows its token again."""

    key: Key
    token: str = Field(description="The secret: Authorization: Bearer fhk_…")


class KeyList(BaseModel):
    """The keys, the oldest first."""

    keys: list[Key]
