"""What `[nexudus]` in the configuration may say."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from nexudus_sync.connectors.limits import Limits
from nexudus_sync.connectors.network import Network
from nexudus_sync.connectors.nexudus import totp


class NexudusLimits(Limits):
    """Calls allowed per window, as the pages "Rate limits" and "Create Coworker" state them; all above 0."""

    per_second: int | None = Field(default=10, gt=0, strict=True)
    per_minute: int | None = Field(default=120, gt=0, strict=True)
    per_hour: int | None = Field(default=5000, gt=0, strict=True)
    per_day: int | None = Field(default=200_000, gt=0, strict=True)
    writes_per_minute: int | None = Field(default=60, gt=0, strict=True)
    writes_per_day: int | None = Field(default=2500, gt=0, strict=True)
    customer_creations_per_day: int | None = Field(default=50, gt=0, strict=True)


class NexudusSettings(Network):
    """One Nexudus login. `overlap` (how far a poll reads back) and `lag` (how far behind now it stays): in seconds."""

    base_url: str = "https://spaces.nexudus.com/api"
    username: str = Field(min_length=1)
    password: SecretStr
    totp_secret: SecretStr | None = None
    auth: Literal["token", "basic"] = "token"
    limits: NexudusLimits = NexudusLimits()
    overlap: int = Field(default=300, ge=0)
    lag: int = Field(default=60, ge=0)

    @model_validator(mode="after")
    def _can_be_sent(self) -> "NexudusSettings":
        if self.auth == "basic" and ":" in self.username:
            raise ValueError('auth = "basic" cannot send a user name with a colon; leave auth out or use another login')
        return self

    @field_validator("totp_secret")
    @classmethod
    def _is_base32(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            try:
                totp.key(secret.get_secret_value())
            except ValueError:
                raise ValueError("is not base32: copy the key that Nexudus shows for an authenticator app") from None
        return secret
