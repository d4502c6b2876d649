"""Labelled data goes to a model only with a consent that permits it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from careplane.errors import Refused
from careplane.governance.labels import LABELS, RECIPIENTS, Recipient, check_chart, labels, refusal

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
INSIDE = Recipient(external=False, names=frozenset(RECIPIENTS[False]))
OUTSIDE = Recipient(external=True, names=frozenset(RECIPIENTS[True]))
TO_OUTSIDE = [{"role": {"text": "recipient"}, "reference": {"identifier": {"value": "careplane-external-model"}}}]


def resource(*codes: str, **fields: Any) -> dict[str, Any]:
    meta = {"security": [{"code": code} for code in codes]}
    return {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/1"}, "meta": meta, **fields}


def consent(
    *codes: str, status: str = "active", patient: str = "Patient/1", kind: str = "", **provision: Any
) -> dict[str, Any]:
    content = {"type": "permit", "securityLabel": [{"code": code} for code in codes], **provision}
    if kind:
        content["class"] = [{"code": kind}]
    return {
        "resourceType": "Consent",
        "status": status,
        "patient": {"reference": patient},
        "provision": {key: value for key, value in content.items() if value != []},
    }


@pytest.mark.parametrize("code", sorted(LABELS))
def test_without_a_consent_nothing_labelled_goes(code: str) -> None:
    assert refusal(resource(code), [], INSIDE, AT)
    assert refusal(resource(code), [], OUTSIDE, AT)
    assert refusal(resource(code), [consent(code)], INSIDE, AT) is None
    assert refusal(resource(code), [consent(code, actor=TO_OUTSIDE)], OUTSIDE, AT) is None


@pytest.mark.parametrize("codes", [(), ("N",), ("HTEST",), ("L", "AIAST")])
def test_what_is_not_sensitive_needs_no_consent(codes: tuple[str, ...]) -> None:
    assert refusal(resource(*codes), [], OUTSIDE, AT) is None


def test_every_label_needs_its_permission() -> None:
    both = resource("HIV", "ETH")
    assert refusal(both, [consent("HIV")], INSIDE, AT)
    assert refusal(both, [consent("HIV"), consent("ETH")], INSIDE, AT) is None
    assert refusal(both, [consent("HIV", "ETH")], INSIDE, AT) is None


@pytest.mark.parametrize(
    "given",
    [
        consent("HIV", status="inactive"),
        consent("HIV", status="draft"),
        consent("HIV", patient="Patient/2"),
        consent("ETH"),
        consent(),
        consent("HIV", period={"start": "2026-03-02"}),
        consent("HIV", period={"end": "2026-02"}),
        consent("HIV", purpose=[{"code": "HRESCH"}]),
        consent("HIV", action=[{"coding": [{"code": "collect"}]}]),
        consent("HIV", actor=TO_OUTSIDE),
        consent("HIV", data=[{"reference": {"reference": "Condition/other"}}]),
        consent("HIV", kind="Observation"),
        consent("HIV", code=[{"text": "what cannot be checked"}]),
        consent("HIV", dataPeriod={"start": "2020"}),
        consent("HIV", type="deny"),
        {**consent("HIV"), "provision": "all"},
        {**consent("HIV"), "patient": None},
        {"resourceType": "Consent"},
    ],
)
def test_a_consent_that_does_not_fit_permits_nothing(given: dict[str, Any]) -> None:
    assert refusal(resource("HIV"), [given], INSIDE, AT)


@pytest.mark.parametrize(
    "given",
    [
        consent("HIV", period={"start": "2026", "end": "2026-03-01"}),
        consent("HIV", period={"start": "2026-02-28T23:00:00-05:00", "end": "2027-01"}),
        consent("HIV", purpose=[{"code": "TREAT"}, {"code": "HPAYMT"}]),
        consent("HIV", action=[{"coding": [{"code": "use"}]}]),
        consent("HIV", data=[{"meaning": "instance", "reference": {"reference": "Condition/c1"}}]),
        consent("HIV", kind="Condition"),
        consent(type="deny", provision=[{"type": "permit", "securityLabel": [{"code": "HIV"}]}]),
        consent("HIV", type=None, provision=[{"type": "permit"}]),
    ],
)
def test_a_consent_that_fits_permits(given: dict[str, Any]) -> None:
    assert refusal(resource("HIV"), [given], INSIDE, AT) is None


def test_an_exception_and_another_consent_deny() -> None:
    excepted = consent("HIV", provision=[{"type": "deny", "data": [{"reference": {"reference": "Condition/c1"}}]}])
    assert refusal(resource("HIV"), [excepted], INSIDE, AT)
    assert refusal(resource("HIV", id="c2"), [excepted], INSIDE, AT) is None
    assert refusal(resource("HIV"), [consent("HIV"), consent("HIV", type="deny")], INSIDE, AT)


def test_outside_the_consent_names_who_receives() -> None:
    assert refusal(resource("ETH"), [consent("ETH")], OUTSIDE, AT)
    other = [{"reference": {"reference": "Organization/other"}}]
    assert refusal(resource("ETH"), [consent("ETH", actor=other)], OUTSIDE, AT)
    uses = [{"coding": [{"code": "use"}]}]
    assert refusal(resource("ETH"), [consent("ETH", actor=TO_OUTSIDE, action=uses)], OUTSIDE, AT)


def test_labels_are_found_wherever_a_resource_has_them() -> None:
    assert labels({"resourceType": "Observation", "contained": [resource("PSY")]}) == frozenset({"PSY"})
    document = {"resourceType": "DocumentReference", "securityLabel": [{"coding": [{"code": "V"}]}]}
    assert labels(document) == frozenset({"V"})
    assert labels({"resourceType": "Composition", "confidentiality": "R"}) == frozenset({"R"})
    assert labels({"resourceType": "Observation"}) == frozenset()


@pytest.mark.parametrize("meta", [None, [], "R", {"security": "R"}, {"security": ["R"]}, {"security": [{"code": 5}]}])
def test_labels_that_cannot_be_read_deny(meta: object) -> None:
    odd = {**resource(), "meta": meta}
    assert labels(odd) is None
    assert refusal(odd, [consent(*LABELS)], INSIDE, AT)


def test_a_chart_is_refused_with_labels_and_no_person() -> None:
    check_chart([resource(), resource("HIV")], [consent("HIV")], INSIDE, AT)
    with pytest.raises(Refused) as refused:
        check_chart([resource("HIV"), resource("SUD"), resource("HIV", id="c2")], [], OUTSIDE, AT)
    assert len(refused.value.reasons) == 2
    assert "Patient/1" not in str(refused.value)
    assert "c2" not in str(refused.value)
