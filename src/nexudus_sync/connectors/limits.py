"""What the configuration says about a system's limits: the numbers that `budget` keeps to."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Limit = Annotated[int, Field(gt=0, strict=True)]


class Limits(BaseModel):
    """The number of calls that a system allows in any second, minute, hour or day; None means no limit.

    `writes_…` are all calls but GET. The numbers of Nexudus are on its page about rate limits; about 50 customer
    creations a day is what its users report.

    `account`: the calls are counted together with those of every system at the same address whose limits name the same
    account, by whatever login; None: by the login.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_second: _Limit | None = None
    per_minute: _Limit | None = None
    per_hour: _Limit | None = None
    per_day: _Limit | None = None
    writes_per_minute: _Limit | None = None
    writes_per_day: _Limit | None = None
    customer_creations_per_day: _Limit | None = None
    account: str | None = Field(default=None, min_length=1)

    @property
    def are_none(self) -> bool:
        """Is nothing limited?"""
        return all(said is None for name, said in self if name != "account")
