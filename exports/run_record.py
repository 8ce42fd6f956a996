"""run.json: what was asked, with what, why it stopped, and every call with its price."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from litrag.core.display import fragment
from litrag.core.shown import ledger_table
from litrag.exports.records import Record

__all__ = ["RUN_SCHEMA_VERSION", "HopRecord", "LedgerRecord", "LedgerRow", "RunFile", "TrajectoryRecord"]

RUN_SCHEMA_VERSION = 1


class LedgerRow(Record):
    """One call or search. Tokens and dollars of a row that is only "sent" are the reserved estimate."""

    id: int
    role: str
    model: str
    operation: str
    key: str = Field(description="SHA-256 of the full request.")
    status: str = Field(description="sent (in flight, or lost by a kill), done, failed.")
    cached: bool
    repeated: bool = Field(description="The same request was in flight when an earlier session was killed.")
    prompt_tokens: int
    completion_tokens: int
    usd: float
    seconds: float


class LedgerRecord(Record):
    """Sums over the run's sessions, and the rows. `calls` were sent to models, `cached` were not; searches count apart."""

    calls: int
    cached: int
    repeated: int
    searches: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    seconds: float
    rows: tuple[LedgerRow, ...]

    def _repr_html_(self) -> str:
        return fragment(ledger_table(self.rows))


class HopRecord(Record):
    """One step of an agent."""

    action: str
    query: str
    thought: str
    new: int = Field(description="Papers that no earlier step of the same agent had found or read.")


class TrajectoryRecord(Record):
    """How one agent searched."""

    agent: str = Field(description='"queries" (the text and the rewriter\'s), the agent\'s id, or "snowball".')
    stop_reason: str
    hops: tuple[HopRecord, ...]


class RunFile(Record):
    """The whole file."""

    version: int = Field(default=RUN_SCHEMA_VERSION, description="Version of this schema.")
    run_id: str
    stop_reason: str = Field(description='"done", or which budget was spent.')
    input: str = Field(description="Name of the input.")
    request: str = Field(description="A hash that two runs share when they were asked the same.")
    settings: dict[str, Any]
    versions: dict[str, str]
    prompts: dict[str, str] = Field(description="Hash of each prompt by role.")
    counters: dict[str, int]
    ledger: LedgerRecord
    trajectories: tuple[TrajectoryRecord, ...] = Field(default=(), description="How it was searched, agent by agent.")
    warnings: tuple[str, ...]
    files: dict[str, str] = Field(description="SHA-256 of the other files of the folder.")
    styles: dict[str, str] = Field(
        default_factory=dict,
        description="Citation style of the files that were exported in another one than the settings'.",
    )
