"""What Salesforce's refusals mean: one table from error code to what to do next, and the shapes in which they come.

Shapes (REST API Developer Guide): an error is `[{"message", "errorCode", "fields"}]`, inside collections
`{"statusCode", "message", "fields"}`, from the token endpoint `{"error", "error_description"}`; on the way there may be
a proxy's HTML page. Nothing here raises for a shape that it does not know: it becomes a problem without a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

import msgspec

from connectors.base import ConnectorError, FatalError, Result, RetryableError, WriteResult

_LONGEST = 500
_PERMISSIONS = "assign the permission set Escalation Worker to the integration user (deploy/salesforce)"
_TRANSIENT_STATUS = frozenset({406, 408, 420, 429})


class UnansweredError(RetryableError):
    """The call was sent and no answer was understood: it may have happened."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal, in Salesforce's words."""

    code: str
    message: str
    status: int = 0
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = f" ({', '.join(self.fields)})" if self.fields else ""
        return f"{self.code or self.status}: {self.message}{named}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a refusal means for one write."""

    result: Result
    remedy: str = ""
    after: timedelta | None = None


_ONCE_MORE = Verdict(Result.RETRY)
_SLOWLY = timedelta(hours=1)
_QUOTA = timedelta(minutes=15)

TABLE: dict[str, Verdict] = {
    # Passes by itself.
    "UNABLE_TO_LOCK_ROW": Verdict(Result.RETRY, after=timedelta(seconds=1)),
    "SERVER_UNAVAILABLE": Verdict(Result.RETRY, after=timedelta(seconds=30)),
    "UNKNOWN_EXCEPTION": Verdict(Result.RETRY, after=timedelta(seconds=5)),
    "QUERY_TIMEOUT": Verdict(Result.RETRY, after=timedelta(seconds=30)),
    "REQUEST_RUNNING_TOO_LONG": Verdict(Result.RETRY, after=timedelta(seconds=30)),
    "DUPLICATE_VALUE": Verdict(Result.RETRY, after=timedelta(seconds=1)),  # another worker's upsert came first
    # A bystander of somebody else's failure: nothing was done.
    "PROCESSING_HALTED": _ONCE_MORE,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": _ONCE_MORE,
    # Gone or moved since it was looked at: the next look finds where.
    "ENTITY_IS_DELETED": _ONCE_MORE,
    "INVALID_SESSION_ID": _ONCE_MORE,
    # Somebody must act first.
    "ENTITY_IS_LOCKED": Verdict(Result.RETRY, "an approval locks the record: approve or recall it", _SLOWLY),
    "DUPLICATES_DETECTED": Verdict(
        Result.RETRY, "a duplicate rule holds it back: exempt the integration user", _SLOWLY
    ),
    "INSUFFICIENT_ACCESS_OR_READONLY": Verdict(Result.REJECTED, f"{_PERMISSIONS}, and see who owns the record"),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Verdict(Result.REJECTED, _PERMISSIONS),
    "INSUFFICIENT_ACCESS": Verdict(Result.REJECTED, _PERMISSIONS),
    "INVALID_FIELD_FOR_INSERT_UPDATE": Verdict(Result.REJECTED, f"the field may not be written: {_PERMISSIONS}"),
    "INVALID_FIELD": Verdict(Result.REJECTED, f"the field is missing or hidden: deploy it, or {_PERMISSIONS}"),
    "INVALID_TYPE": Verdict(Result.REJECTED, f"the object is missing or hidden: deploy it, or {_PERMISSIONS}"),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Verdict(
        Result.REJECTED, "a trigger or flow of the org refuses it: see its text"
    ),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Verdict(
        Result.REJECTED, "a validation rule refuses it: exempt the integration user"
    ),
    "FIELD_INTEGRITY_EXCEPTION": Verdict(Result.REJECTED, "the org refuses this combination of values"),
    "FIELD_FILTER_VALIDATION_EXCEPTION": Verdict(
        Result.REJECTED, "a lookup filter refuses it: exempt the integration user"
    ),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Verdict(
        Result.REJECTED, "add the value to the picklist; `check` lists them"
    ),
    "STRING_TOO_LONG": Verdict(Result.REJECTED, "the field is shorter than deploy/salesforce makes it: lengthen it"),
    "REQUIRED_FIELD_MISSING": Verdict(
        Result.REJECTED, "the org requires a field that the worker does not write: relax it"
    ),
    "INACTIVE_OWNER_OR_USER": Verdict(
        Result.REJECTED, "the user is inactive: correct the owner or the policy's people"
    ),
    "INVALID_CROSS_REFERENCE_KEY": Verdict(
        Result.REJECTED, "what it refers to is not there, or hidden from the worker"
    ),
    "MALFORMED_ID": Verdict(Result.REJECTED, "this is not an id of that object"),
    "NOT_FOUND": Verdict(Result.REJECTED, "the record is gone, or hidden from the integration user"),
    "TXN_SECURITY_METERING_ERROR": Verdict(
        Result.REJECTED, "exempt the integration user from transaction security policies"
    ),
    "STORAGE_LIMIT_EXCEEDED": Verdict(Result.RETRY, "the org's storage is full: free some", _SLOWLY),
}
"""By Salesforce's code. What is not here is refused, with its own words."""

_QUOTA_CODE = "REQUEST_LIMIT_EXCEEDED"
_NOT_FOR_REST = ("not valid for use with the rest api", "connected app is not attached")
_WHOLE_ORG = frozenset(
    {
        "API_DISABLED_FOR_ORG",
        "API_CURRENTLY_DISABLED",
        "UNSUPPORTED_API_VERSION",
        "INVALID_VERSION",
        "FUNCTIONALITY_NOT_ENABLED",
    }
)


class _Error(msgspec.Struct):
    message: str = ""
    errorCode: str = ""  # noqa: N815  Salesforce's own word
    statusCode: str = ""  # noqa: N815
    error: str = ""
    error_description: str = ""
    fields: list[str] | None = None


_ERRORS = msgspec.json.Decoder(list[_Error])
_ONE = msgspec.json.Decoder(_Error)


def problems(body: bytes, status: int = 0) -> list[Problem]:
    """The refusals in an answer; at least one."""
    try:
        found = _ERRORS.decode(body)
    except msgspec.DecodeError:
        found = _single(body)
    made = [
        Problem(
            each.errorCode or each.statusCode or each.error,
            (each.message or each.error_description)[:_LONGEST],
            status,
            tuple(each.fields or ()),
        )
        for each in found
    ]
    return made or [Problem("", _said(body, status), status)]


def _single(body: bytes) -> list[_Error]:
    try:
        one = _ONE.decode(body)
    except msgspec.DecodeError:
        return []
    return [one] if one.errorCode or one.statusCode or one.error else []


def _said(body: bytes, status: int) -> str:
    text = " ".join(body[:200].decode("utf-8", "replace").split())
    return f"an answer that is not Salesforce's (HTTP {status}): {text}" if text else f"an empty answer (HTTP {status})"


def root(found: Sequence[Problem]) -> Problem | None:
    """What really went wrong, among those that only stood by. None when all did."""
    return next((each for each in found if TABLE.get(each.code) is not _ONCE_MORE), None)


def verdict(problem: Problem) -> Verdict:
    """What to do about one write that was refused."""
    if "UNABLE_TO_LOCK_ROW" in problem.message:
        return TABLE["UNABLE_TO_LOCK_ROW"]
    if problem.status == HTTPStatus.PRECONDITION_FAILED:
        return Verdict(Result.CONFLICT)
    if problem.status == HTTPStatus.MULTIPLE_CHOICES:
        return Verdict(
            Result.REJECTED,
            "the key field is not unique: make it an external id that is unique, and join the two records",
        )
    if problem.code == _QUOTA_CODE:
        return Verdict(Result.RETRY, "the org's API calls are used up", _QUOTA)
    known = TABLE.get(problem.code)
    if known is not None:
        return known
    return _ONCE_MORE if is_transient(problem) else Verdict(Result.REJECTED, "see Salesforce's own words")


def refused(problem: Problem) -> WriteResult:
    """The result of a write that was refused."""
    judged = verdict(problem)
    return WriteResult(
        judged.result,
        reason=str(problem),
        remedy=judged.remedy,
        retry_after=judged.after,
        for_all=problem.code == _QUOTA_CODE,
    )


def is_transient(problem: Problem) -> bool:
    """Whether the same call may succeed a little later."""
    judged = TABLE.get(problem.code)
    passes = judged is not None and judged.result is Result.RETRY and judged.after != _SLOWLY
    return (
        passes
        or problem.status >= 500
        or problem.status in _TRANSIENT_STATUS
        or (not problem.code and problem.status < 300)
    )


def is_dead_session(problem: Problem) -> bool:
    """Whether a new token may help. Two refusals carry the same code and would make an endless loop of logins."""
    if problem.status != HTTPStatus.UNAUTHORIZED or problem.code != "INVALID_SESSION_ID":
        return False
    return not any(words in problem.message.casefold() for words in _NOT_FOR_REST)


def failure(problem: Problem, doing: str) -> ConnectorError:
    """A whole call's refusal as an error by what to do next."""
    said = f"Salesforce, {doing}: {problem}"
    if problem.code == _QUOTA_CODE:
        return _used_up(problem, said)
    if problem.status == HTTPStatus.UNAUTHORIZED and problem.code:
        return FatalError(said, _of_access(problem))
    if 300 <= problem.status < 400 and problem.status != HTTPStatus.MULTIPLE_CHOICES:
        return FatalError(said, "the org answers elsewhere: correct instance_url to its My Domain address")
    if is_transient(problem) or problem.status == HTTPStatus.UNAUTHORIZED:
        after = TABLE[problem.code].after if problem.code in TABLE else timedelta(seconds=30)
        return RetryableError(said, "it is tried again; see status.salesforce.com if it lasts", after)
    closed = problem.code in _WHOLE_ORG
    return FatalError(
        said, "the org's edition or the api_version does not allow it" if closed else verdict(problem).remedy
    )


def failed_write(problem: Problem, doing: str) -> ConnectorError:
    """The same for a call that writes: an answer from somewhere on the way does not tell whether it was done."""
    error = failure(problem, doing)
    said_no = problem.code and (problem.status < 500 or problem.code == "SERVER_UNAVAILABLE")
    if said_no or isinstance(error, FatalError):
        return error
    return UnansweredError(str(error), error.remedy)


def _of_access(problem: Problem) -> str:
    if any(words in problem.message.casefold() for words in _NOT_FOR_REST):
        return "in Session Settings and the External Client App's policies, let the integration user use the API"
    return "see the integration user and its External Client App; then restart the worker"


def _used_up(problem: Problem, said: str) -> RetryableError:
    if "concurrent" in problem.message.casefold():
        return RetryableError(said, "too many long calls at once in this org; it is tried again", timedelta(seconds=45))
    return RetryableError(said, "the org's API calls of 24 hours are used up: see Setup, Company Information", _QUOTA)
