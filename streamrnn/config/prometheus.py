"""The section `prometheus`: a query that is read as a log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from streamrnn.config.values import FilePath, Names, Seconds, Section


def _in_utc(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


class PrometheusConfig(Section):
    """A query that is read as a log, in place of a topic (`run --prometheus`)."""

    url: str | None = Field(None, pattern=r"^https?://[^\s?#]+$")
    """Address of the server, without `/api/v1`; default: none is read."""
    query: str | None = Field(None, min_length=1)
    """In PromQL; every time series of the result is a series, with the target `value`."""
    step: Seconds = 60.0
    """Time between two samples of the query; whole milliseconds."""
    begin: Moment | None = None
    """Time of the first sample where there is no state yet; default: now."""
    until: Moment | None = None
    """The log ends before this time; default: it has no end."""
    delay: Seconds = 30.0
    """How long after its time a sample is read: samples may come late, and none is read twice."""
    by: Names = ()
    """Labels whose values are the key of a series; default: its name and all its labels."""
    token: SecretStr | None = None
    """Sent as `Authorization: Bearer ...`."""
    ca_file: FilePath | None = None
    """Certificates to trust with https; default: the system's."""
    timeout: Seconds = 30.0
    """How long to wait for an answer."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.url is None) != (self.query is None):
            raise ValueError("url and query go together")
        if self.step * 1000 != round(self.step * 1000) or self.step < 0.001:
            raise ValueError("step: whole milliseconds")
        if self.begin is not None and self.until is not None and self.begin >= self.until:
            raise ValueError("begin is not before until")
        return self
