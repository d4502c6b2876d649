"""Messages as FHIR: what each type gives, ids that stay, legal resources whatever comes."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import fhirkit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplane.codecs.hl7v2 import parse
from careplane.codecs.hl7v2.fhir import Mapped, Site, check_subject, is_known, to_fhir
from careplane.codecs.hl7v2.fhir.datatypes import date_time
from careplane.errors import MessageError
from careplane.records import JSON

UCUM = "http://unitsofmeasure.org"
POSITIVE = {"system": "http://snomed.info/sct", "code": "10828004", "display": "Positive"}
ZONE = ZoneInfo("America/Chicago")
SITE = Site({"MRN": "https://hospital.example/mrn"}, ZONE)
PID = "PID|1||77^^^MRN^MR~9^^^&1.2.3&ISO^PI||Quill^Ana^M^^^^L||19610402|F|||12 Elm St^^Mesa^AZ^85201||5550188^PRN^PH"
PV1 = "PV1|1|I|ICU^2^1^NORTH|||S1^^^NORTH|D7^Okafor^Ada||||||||||||V9^^^MRN^VN" + "|" * 25 + "20260101080000|"


def mapped(kind: str, *segments: str, site: Site = SITE, at: str = "20260102") -> Mapped:
    head = f"MSH|^~\\&|LAB|NORTH|CARE|HUB|{at}||{kind}|c1|P|2.5.1"
    return to_fhir(parse("\r".join((head, *segments)).encode()), site)


def only(found: Mapped, kind: str) -> JSON:
    (one,) = [one for one in (*found.leading, *found.mentioned) if one["resourceType"] == kind]
    assert [str(issue) for issue in fhirkit.validate(one)] == []
    return one


def kinds(resources: tuple[JSON, ...]) -> list[str]:
    return sorted(one["resourceType"] for one in resources)


def test_an_admission() -> None:
    further = ("AL1|1|DA|70618^Penicillin^RXNORM|SV|Hives", "DG1|1||I10^Essential hypertension^I10C")
    found = mapped("ADT^A01", "EVN|A01|20260101081500", PID, PV1, *further)
    patient, stay = only(found, "Patient"), only(found, "Encounter")
    assert patient["identifier"][0]["system"] == "https://hospital.example/mrn"
    assert patient["identifier"][1]["system"] == "urn:oid:1.2.3"
    assert patient["name"] == [{"use": "official", "family": "Quill", "given": ["Ana", "M"]}]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1961-04-02")
    assert patient["address"] == [{"line": ["12 Elm St"], "city": "Mesa", "state": "AZ", "postalCode": "85201"}]
    assert (stay["status"], stay["class"]["code"]) == ("in-progress", "IMP")
    assert stay["period"] == {"start": "2026-01-01T08:00:00-06:00"}
    assert stay["subject"]["reference"] == found.patient == f"Patient/{patient['id']}"
    assert stay["participant"][0]["individual"]["display"] == "Ada Okafor"
    assert [place["location"]["display"] for place in stay["location"]] == ["ICU^2^1", "S1"]
    assert (found.encounter, found.focus) == (f"Encounter/{stay['id']}",) * 2
    assert found.unit == stay["location"][0]["location"]["reference"]
    assert found.attending == ("urn:careplane:hl7v2:NORTH", "D7")
    assert found.at == datetime(2026, 1, 1, 14, 15, tzinfo=UTC)
    assert only(found, "AllergyIntolerance")["reaction"] == [{"manifestation": [{"text": "Hives"}]}]
    condition = only(found, "Condition")
    assert condition["code"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-10-cm"
    assert stay["diagnosis"][0]["condition"]["reference"] == f"Condition/{condition['id']}"
    assert found.mentioned == ()


@pytest.mark.parametrize(
    ("event", "end", "status"),
    [
        ("A03", "", "finished"),
        ("A04", "", "in-progress"),
        ("A05", "", "planned"),
        ("A08", "", "in-progress"),
        ("A08", "20260103", "finished"),
        ("A11", "", "cancelled"),
        ("A13", "", "in-progress"),
        ("A21", "", "onleave"),
        ("A23", "", "entered-in-error"),
    ],
)
def test_what_an_event_says_of_the_visit(event: str, end: str, status: str) -> None:
    found = mapped(f"ADT^{event}", "EVN||202601031200", PID, PV1 + end)
    stay = only(found, "Encounter")
    assert stay["status"] == status
    assert stay["id"] == only(mapped("ADT^A01", PID, PV1), "Encounter")["id"]
    if event == "A03":
        assert stay["period"]["end"] == "2026-01-03T12:00:00-06:00", "the time of the event, where PV1-45 is empty"


def test_who_is_only_named_does_not_lead() -> None:
    found = mapped("ORU^R01", PID, PV1, "OBR|1||F1", "OBX|1|ST|A||x||||||F")
    assert kinds(found.mentioned) == ["Encounter", "Location", "Location", "Patient"]
    assert kinds(found.leading) == ["DiagnosticReport", "Observation"]
    person = mapped("ADT^A31", PID, PV1)
    assert ("Encounter" in kinds(person.leading), "Patient" in kinds(person.leading)) == (False, True)


def test_a_merge_says_who_was_replaced() -> None:
    found = mapped("ADT^A40", PID, "MRG|55^^^MRN^MR")
    old = next(one for one in found.leading if not one.get("active", True))
    assert old["link"] == [{"other": {"reference": found.patient}, "type": "replaced-by"}]
    assert f"Patient/{old['id']}" == mapped("ADT^A08", PID.replace("|77^", "|55^")).patient


@pytest.mark.parametrize(
    ("obx", "expected"),
    [
        ("NM|A||7.2|%^^UCUM", {"valueQuantity": {"unit": "%", "system": UCUM, "code": "%", "value": 7.2}}),
        ("NM|A||12|mg", {"valueQuantity": {"unit": "mg", "value": 12}}),
        ("NM|A||see note|mg", {"valueString": "see note"}),
        ("SN|A||<^5", {"valueQuantity": {"comparator": "<", "value": 5}}),
        ("SN|A||^1^:^128", {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}),
        ("SN|A||^3^-^6", {"valueRange": {"low": {"value": 3}, "high": {"value": 6}}}),
        ("SN|A||^2^+", {"valueString": "2+"}),
        ("CWE|A||10828004^Positive^SCT", {"valueCodeableConcept": {"coding": [POSITIVE], "text": "Positive"}}),
        ("TX|A||one~two \\T\\ three", {"valueString": "one\ntwo & three"}),
        ("DT|A||20260131", {"valueDateTime": "2026-01-31"}),
        ("TS|A||not a time", {"valueString": "not a time"}),
        ("ST|A||", {}),
    ],
)
def test_values(obx: str, expected: JSON) -> None:
    found = mapped("ORU^R01", PID, "OBR|1||F1", f"OBX|1|{obx}")
    value = only(found, "Observation")
    assert {name: one for name, one in value.items() if name.startswith("value")} == expected


def test_a_result_and_its_correction_are_one_resource() -> None:
    def result(status: str, value: str) -> Mapped:
        obx = f"OBX|1|NM|2345-7^Glucose^LN||{value}|mg/dL|70-105|H|||{status}"
        obr = f"OBR|1|P1|F1^LAB|GLU^Panel|||20260101|||||||||||||||20260102101500||CH|{status}"
        return mapped("ORU^R01", PID, "ORC|RE|P1|F1", obr, obx, "NTE|1||haemolysed")

    first, second = result("P", "182"), result("C", "128")
    report, value = only(second, "DiagnosticReport"), only(second, "Observation")
    assert [only(first, kind)["id"] for kind in ("DiagnosticReport", "Observation")] == [report["id"], value["id"]]
    assert (report["status"], value["status"]) == ("corrected", "corrected")
    assert [one["type"]["coding"][0]["code"] for one in report["identifier"]] == ["PLAC", "FILL"]
    assert report["result"] == [{"reference": f"Observation/{value['id']}"}]
    assert report["issued"] == "2026-01-02T10:15:00-06:00"
    assert value["note"] == [{"text": "haemolysed"}]
    assert second.focus == f"DiagnosticReport/{report['id']}"


def test_a_document_its_files_and_what_it_replaces() -> None:
    txa = "TXA|1|DS^Discharge summary|TX|20260101|||20260102093000|||||D1^LAB|||||AU"
    obx = ("OBX|1|TX|||line one", "OBX|2|TX|||line two", "OBX|3|ED|||^application^pdf^Base64^JVBERg==")
    found = mapped("MDM^T02", PID, PV1, txa, *obx)
    document = only(found, "DocumentReference")
    assert (document["status"], document["docStatus"]) == ("current", "final")
    assert document["type"]["text"] == "Discharge summary"
    media = [one["attachment"]["contentType"] for one in document["content"]]
    assert media == ["text/plain; charset=utf-8", "application/pdf"]
    assert document["context"]["encounter"] == [{"reference": found.encounter}]
    newer = txa.replace("D1^LAB", "D2^LAB|D1^LAB").replace("|||||AU", "||||AU")
    again = mapped("MDM^T10", PID, newer, "OBX|1|TX|||new")
    assert only(again, "DocumentReference")["relatesTo"] == [
        {"code": "replaces", "target": {"reference": f"DocumentReference/{document['id']}"}}
    ]
    assert only(mapped("MDM^T01", PID, txa), "DocumentReference")["content"] == [{"attachment": {"title": "DS"}}]


def test_an_appointment() -> None:
    sch = "SCH|P1|F1|||||CHK^Check-up|ROUTINE^Routine|30|min|^^^202601120930|||||||||||||Booked"
    who = ("AIL|1||CLIN1^^^NORTH", "AIP|1||D7^Okafor^Ada", "NTE|1||Fasting")
    found = mapped("SIU^S12", sch, PID, *who)
    made = only(found, "Appointment")
    assert made["status"] == "booked"
    assert (made["start"], made["end"]) == ("2026-01-12T09:30:00-06:00", "2026-01-12T10:00:00-06:00")
    assert made["participant"][0]["actor"]["reference"] == found.patient
    assert made["participant"][2]["actor"]["display"] == "Ada Okafor"
    cancelled = only(mapped("SIU^S15", sch, PID), "Appointment")
    assert (cancelled["status"], cancelled["id"]) == ("cancelled", made["id"])
    assert only(mapped("SIU^S12", "SCH|P9"), "Appointment")["status"] == "pending", "booked without a time is none"


def test_orders_and_charges() -> None:
    orc = "ORC|CA|P1||||||||||D7^Okafor^Ada"
    order = only(mapped("ORM^O01", PID, PV1, orc, "OBR|1|P1||CT^Head|||"), "ServiceRequest")
    assert (order["status"], order["code"]["text"]) == ("revoked", "Head")
    charge = only(mapped("DFT^P03", PID, PV1, "FT1|1|T1||20260101|||99213^Visit^C4|||2|55.5&USD"), "ChargeItem")
    assert (charge["quantity"], charge["priceOverride"]) == ({"value": 2}, {"value": 55.5, "currency": "USD"})


def test_numbers_without_an_authority_are_the_sender_s_own() -> None:
    here = only(mapped("ADT^A08", "PID|1||77"), "Patient")
    assert here["identifier"] == [{"system": "urn:careplane:hl7v2:NORTH", "value": "77"}]
    assert [is_known(one) for one in ("urn:careplane:hl7v2:NORTH", "urn:oid:1.2")] == [False, True]
    assert here["id"] != only(mapped("ADT^A08", PID), "Patient")["id"]


def test_what_is_for_training_is_labelled_as_test_data() -> None:
    head = "MSH|^~\\&|LAB|NORTH|||20260102||ADT^A01|c1|{}|2.5.1\r"
    for processing, labelled in (("T", True), ("D", True), ("P", False)):
        found = to_fhir(parse((head.format(processing) + PID).encode()), SITE)
        assert [one["meta"]["tag"][0]["code"] == "HTEST" if "meta" in one else False for one in found.leading] == [
            labelled
        ]


def test_a_message_about_nobody_is_refused() -> None:
    for kind, pid in (("ADT^A01", "PV1|1"), ("MDM^T02", "PID|1||^^^MRN")):
        with pytest.raises(MessageError) as caught:
            check_subject(parse(f"MSH|^~\\&|A|B|||2026||{kind}|1|P|2.5\r{pid}".encode()))
        assert (caught.value.code, caught.value.field) == (101, "PID-3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", "2026"),
        ("202601", "2026-01"),
        ("20260131", "2026-01-31"),
        ("202601311405", "2026-01-31T14:05:00-06:00"),
        ("20260731140509.1234", "2026-07-31T14:05:09-05:00"),
        ("20260131140509+0115", "2026-01-31T14:05:09+01:15"),
        *((bad, None) for bad in ("", "20261301", "20260230", "soon", "2026-01-31", "0000", "202601312505")),
    ],
)
def test_times(text: str, expected: str | None) -> None:
    assert date_time(text, ZONE) == expected


LEAF = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n|"), max_size=12) | st.sampled_from(
    ["20260101", "7.2", "-", "<^5", "A^B^LN", "x&1.2&ISO", '""', "F", "~", "^^^MRN^MR", "\\X41\\", "ED", "NM", "SN"]
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["ADT^A01", "ADT^A40", "ORU^R01", "MDM^T10", "SIU^S12", "ORM^O01", "DFT^P03"]),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "PID",
                    "PV1",
                    "PV2",
                    "EVN",
                    "MRG",
                    "AL1",
                    "DG1",
                    "ORC",
                    "OBR",
                    "OBX",
                    "NTE",
                    "TXA",
                    "SCH",
                    "AIS",
                    "AIL",
                    "AIP",
                    "TQ1",
                    "FT1",
                ]
            ),
            st.lists(LEAF, max_size=30),
        ),
        max_size=8,
    ),
)
def test_whatever_comes_gives_legal_resources(kind: str, segments: list[tuple[str, list[str]]]) -> None:
    try:
        found = mapped(kind, *("|".join((name, *fields)) for name, fields in segments))
    except MessageError:
        return
    for one in (*found.leading, *found.mentioned):
        assert [f"{one['resourceType']}: {issue}" for issue in fhirkit.validate(one)] == []


def test_all_samples_give_legal_resources(shared: Path) -> None:
    for file in sorted((shared / "data" / "hl7v2").glob("*.hl7")):
        found = to_fhir(parse(file.read_bytes()), SITE)
        faults = [str(issue) for one in (*found.leading, *found.mentioned) for issue in fhirkit.validate(one)]
        assert faults == [], file.name
