"""Error bodies: an OperationOutcome, as the 3.0 ballot asks; 2.0 leaves the body open."""

from careplane.records import JSON

_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    409: "conflict",
    412: "incomplete",
    413: "too-long",
    415: "not-supported",
    422: "business-rule",
    429: "throttled",
    503: "transient",
}


def operation_outcome(status: int, text: str, field: str | None = None) -> JSON:
    """An OperationOutcome for an HTTP status; ``text`` is a sentence of ours and holds nothing of the call."""
    issue: JSON = {"severity": "error", "code": _CODES.get(status, "exception"), "diagnostics": text}
    if field:
        issue["expression"] = [field]
    return {"resourceType": "OperationOutcome", "issue": [issue]}
