"""The one error tree. Each class is something a caller would treat differently; each message names input and way out.

LitragError                    1  a bug or an unforeseen state
├── BadInput                   2  the user's input, options or settings
│   ├── PromptTooLong          2  a prompt that the model's context cannot hold
│   └── UnknownName            2  a method, model, library or run that does not exist
├── EnvironmentFault           3  something outside is missing: weights, key, disk, permission, nothing to search
│   ├── MissingExtra           3  an optional dependency is not installed
│   ├── NothingToSearch        3  no library and no source
│   ├── CannotWrite            3  full disk, read-only folder
│   ├── VectorsInUse           3  another process holds a library's vectors; a copy can be read
│   ├── SourceFault            3  a scholarly source failed; inside a search it becomes a warning
│   │   ├── SourceRefused      3  wrong key, no credits, a request it does not take: another try does not help
│   │   │   └── SourceUnknown  3  404: the source has nothing under an id
│   │   └── SourceOverloaded   3  429, 5xx, time-out, unreadable reply: worth another try
│   └── ModelFault             3  a model call failed
│       ├── ModelUnavailable   3  unknown model, wrong or missing key, refused
│       ├── ModelOverloaded    3  429, 5xx, time-out: worth another try
│       │   └── ModelAway      3  nothing answers at its address
│       └── CapabilityMissing  3  the model lacks a power that a component needs
├── BudgetSpent                4  the next call would pass the run's budget
├── NoEvidence                 5  nothing citable was found
├── Interrupted              130  stopped by the user; resumable
├── Waiting                    0  a review was asked to pause here; resumable
├── AmbiguousScore             1  one document, one scorer, several queries
└── ScriptExhausted            1  the scripted model was asked more than its script holds
"""

from __future__ import annotations

from collections.abc import Iterable

from litrag.core.amounts import amount

__all__ = [
    "AmbiguousScore",
    "BadInput",
    "BudgetSpent",
    "CannotWrite",
    "CapabilityMissing",
    "EnvironmentFault",
    "Interrupted",
    "LitragError",
    "MissingExtra",
    "ModelAway",
    "ModelFault",
    "ModelOverloaded",
    "ModelUnavailable",
    "NoEvidence",
    "NothingToSearch",
    "PromptTooLong",
    "ScriptExhausted",
    "SourceFault",
    "SourceOverloaded",
    "SourceRefused",
    "SourceUnknown",
    "UnknownName",
    "VectorsInUse",
    "Waiting",
]


class LitragError(Exception):
    """Root of the tree; `exit_code` is what the command line leaves with, `run_id` the review it came from, if any."""

    exit_code = 1
    run_id = ""


class BadInput(LitragError):
    """The input, an option or a setting cannot be used; the message names it and the remedy."""

    exit_code = 2


class PromptTooLong(BadInput):
    """A prompt, with the reply that is asked for, is longer than the model's context; the message says what to shorten."""


class UnknownName(BadInput):
    """A name that nothing goes by; lists what there is, and what is spelt nearly so."""

    def __init__(self, kind: str, name: str, choices: Iterable[str] = (), *, remedy: str = "") -> None:
        from difflib import get_close_matches

        known = sorted(choices)
        near = get_close_matches(name, known, n=1, cutoff=0.75)
        meant = f"; perhaps you mean {near[0]!r}" if near else ""
        listed = f"; there is: {', '.join(known)}" if known else ""
        super().__init__(f"no {kind} named {name!r}{listed}{meant}{remedy and f'; {remedy}'}")
        self.kind, self.name = kind, name


class EnvironmentFault(LitragError):
    """Something outside litrag is missing or refuses; the message says how to get it."""

    exit_code = 3


class MissingExtra(EnvironmentFault):
    """An optional dependency is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed; install it with: pip install 'litrag[{extra}]'")
        self.module, self.extra = module, extra


class NothingToSearch(EnvironmentFault):
    """No library and no source is there to search."""


class CannotWrite(EnvironmentFault):
    """A file or folder cannot be written."""

    def __init__(
        self, path: object, reason: str, *, remedy: str = "choose another folder with -o, or free space"
    ) -> None:
        super().__init__(f"cannot write {path}: {reason}; {remedy}")
        self.path, self.reason = path, reason


class VectorsInUse(EnvironmentFault):
    """Another process has the vectors of a library open."""


class SourceFault(EnvironmentFault):
    """A scholarly source failed; the message names it."""


class SourceRefused(SourceFault):
    """The source refuses: the key, the credits, the request itself."""


class SourceUnknown(SourceRefused):
    """The source has nothing under the id that it was asked for."""


class SourceOverloaded(SourceFault):
    """The source is overloaded, out of reach or talks nonsense for now. `retry_after` is its own wish, in seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelFault(EnvironmentFault):
    """A model call failed for good."""


class ModelUnavailable(ModelFault):
    """The model does not exist, its key is missing or wrong, or the provider refuses the request."""


class ModelOverloaded(ModelFault):
    """The provider is overloaded or out of reach for now. `retry_after` is its own wish, in seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelAway(ModelOverloaded):
    """Nothing answers at the model's address: no server runs there, or there is no network."""


class CapabilityMissing(ModelFault):
    """The model cannot do what a component needs."""

    def __init__(self, model: str, capability: str, have: str) -> None:
        super().__init__(f"{model} cannot give {capability}; models that can: {have}")
        self.model, self.capability = model, capability


class BudgetSpent(LitragError):
    """The next call would pass the run's budget; what was gathered is kept. `remedy` is how to go on where it is not resuming the run; where less than the
    limit is spent, `held` by calls under way and `asked` for the next one tell why that is too much."""

    exit_code = 4

    def __init__(
        self, what: str, used: float, limit: float, *, held: float = 0.0, asked: float = 0.0, remedy: str = ""
    ) -> None:
        remedy = remedy or f"raise --max-{what} and run it again (a review with --force): no call is paid twice"
        under_way = f", {amount(held)} held by calls under way" if held else ""
        following = f", the next may take {amount(asked)}" if asked and used + held < limit else ""
        super().__init__(f"budget: {what}: {amount(used)} of {amount(limit)} spent{under_way}{following}; {remedy}")
        self.what, self.used, self.limit, self.held, self.asked = what, used, limit, held, asked


class NoEvidence(LitragError):
    """Nothing citable was found; the message says what was searched."""

    exit_code = 5


class Interrupted(LitragError):
    """The user stopped the run; the message holds the command that resumes it."""

    exit_code = 130


class Waiting(LitragError):
    """A review pauses, as it was asked to; it goes on with what stands in `file` then."""

    exit_code = 0

    def __init__(self, run_id: str, file: str) -> None:
        super().__init__(f"waiting for you: edit {file}, then: litrag runs resume {run_id}")
        self.run_id, self.file = run_id, file


class AmbiguousScore(LitragError):
    """A scorer left several scores on one document; say for which query."""

    def __init__(self, document_id: str, source: str, queries: tuple[str, ...]) -> None:
        super().__init__(f"{document_id} has {len(queries)} scores of {source}; name the query: {queries}")


class ScriptExhausted(LitragError):
    """A scripted model was called more often than its script allows."""
