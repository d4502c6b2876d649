"""The OpenAPI 3.1 document of the CDS Hooks endpoints, for clients and for tests that make up calls from it."""

from careplane import __version__
from careplane.records import JSON

_TEXT: JSON = {"type": "string", "minLength": 1}
_WORD: JSON = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[!-~]+$"}
_OBJECT: JSON = {"type": "object"}
_REASONS = {
    400: "Not a call, or what came along is not what was asked for or is of another patient.",
    401: "No signed token, or one that does not hold.",
    404: "There is no such service.",
    405: "Another method is needed.",
    412: "The data that are needed were not sent along and could not be fetched.",
    413: "The body is longer than may be sent.",
    503: "The store or the ledger did not answer; nothing was shown.",
}


def api_document() -> JSON:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Careplane CDS Hooks services",
            "version": __version__,
            "description": "CDS Hooks 2.0. Each call brings a JWT of its own whose aud is the exact URL called.",
        },
        "security": [{"jwt": []}],
        "paths": {
            "/cds-services": {
                "get": _operation("discovery", "List the services.", _ref("Services"), (401, 503)),
            },
            "/cds-services/{id}": {
                "parameters": [_ID],
                "post": _operation(
                    "call", "Ask a service.", _ref("Reply"), (400, 401, 404, 412, 413, 503), _ref("Call")
                ),
            },
            "/cds-services/{id}/feedback": {
                "parameters": [_ID],
                "post": _operation(
                    "feedback", "Tell what became of cards.", _OBJECT, (400, 401, 404, 413, 503), _ref("FeedbackBody")
                ),
            },
        },
        "components": {
            "securitySchemes": {"jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": _SCHEMAS,
        },
    }


def _ref(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(items: JSON, **more: int) -> JSON:
    return {"type": "array", "items": items, **more}


def _record(required: tuple[str, ...], **properties: JSON) -> JSON:
    return {"type": "object", "required": list(required), "properties": properties}


def _content(schema: JSON) -> JSON:
    return {"application/json": {"schema": schema}}


def _operation(name: str, summary: str, answer: JSON, errors: tuple[int, ...], body: JSON | None = None) -> JSON:
    """One operation; every error is an OperationOutcome."""
    responses: JSON = {"200": {"description": "Done.", "content": _content(answer)}}
    for status in errors:
        responses[str(status)] = {"description": _REASONS[status], "content": _content(_ref("OperationOutcome"))}
    found: JSON = {"operationId": name, "summary": summary, "responses": responses}
    if body is not None:
        found["requestBody"] = {"required": True, "content": _content(body)}
    return found


_ID: JSON = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[a-z0-9_.-]+$"}}
_CODING = _record(("code",), code=_TEXT, system={"type": "string"}, display={"type": "string"})
_ACTION = _record(
    ("type", "description"),
    type={"enum": ["create", "update", "delete"]},
    description=_TEXT,
    resource=_OBJECT,
    resourceId={"type": "string"},
)
_SCHEMAS: JSON = {
    "Services": _record(
        ("services",),
        services=_array(
            _record(
                ("id", "hook", "description"),
                id=_TEXT,
                hook=_TEXT,
                description=_TEXT,
                title=_TEXT,
                prefetch={"type": "object", "additionalProperties": _TEXT},
                usageRequirements=_TEXT,
                version=_TEXT,
                hookVersion=_TEXT,
            )
        ),
    ),
    "Call": _record(
        ("hook", "hookInstance", "context"),
        hook=_WORD,
        hookInstance=_WORD,
        context=_OBJECT,
        prefetch=_OBJECT,
        fhirServer={"type": "string", "format": "uri"},
        fhirAuthorization=_record(
            ("access_token", "token_type", "expires_in", "scope", "subject"),
            access_token=_WORD,
            token_type={"const": "Bearer"},
            expires_in={"type": "integer", "minimum": 0},
            scope={"type": "string"},
            subject=_TEXT,
            patient={"type": "string"},
        ),
        extension=_OBJECT,
    )
    | {"dependentRequired": {"fhirAuthorization": ["fhirServer"]}},
    "Reply": _record(
        ("cards",),
        cards=_array(
            _record(
                ("summary", "indicator", "source"),
                uuid=_TEXT,
                summary={"type": "string", "minLength": 1, "maxLength": 139},
                indicator={"enum": ["info", "warning", "critical"]},
                source=_record(("label",), label=_TEXT, url=_TEXT, icon=_TEXT, topic=_CODING),
                detail=_TEXT,
                suggestions=_array(_record(("label",), label=_TEXT, uuid=_TEXT, actions=_array(_ACTION)), minItems=1),
                selectionBehavior={"enum": ["at-most-one", "any"]},
                overrideReasons=_array({**_CODING, "required": ["code", "display"]}, minItems=1),
                links=_array(
                    _record(
                        ("label", "url", "type"),
                        label=_TEXT,
                        url={"type": "string", "format": "uri"},
                        type={"enum": ["absolute", "smart"]},
                        appContext={"type": "string"},
                        autolaunchable={"type": "boolean"},
                    ),
                    minItems=1,
                ),
            )
        ),
        systemActions=_array(_ACTION, minItems=1),
    ),
    "FeedbackBody": _record(
        ("feedback",),
        feedback=_array(
            _record(
                ("card", "outcome", "outcomeTimestamp"),
                card={"type": "string", "minLength": 1, "maxLength": 128},
                outcome={"enum": ["accepted", "overridden"]},
                outcomeTimestamp={"type": "string", "format": "date-time"},
                acceptedSuggestions=_array(_record(("id",), id=_TEXT), minItems=1, maxItems=100),
                overrideReason=_record((), reason=_CODING, userComment={"type": "string", "maxLength": 2000}),
            ),
            minItems=1,
            maxItems=500,
        ),
    ),
    "OperationOutcome": _record(
        ("resourceType", "issue"),
        resourceType={"const": "OperationOutcome"},
        issue=_array(
            _record(
                ("severity", "code", "diagnostics"),
                severity={"const": "error"},
                code=_TEXT,
                diagnostics=_TEXT,
                expression=_array(_TEXT),
            ),
            minItems=1,
        ),
    ),
}
