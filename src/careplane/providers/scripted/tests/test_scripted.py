"""The scripted model: its drafts pass the checks, its seeded faults do not."""

import pytest

from careplane.errors import SettingsError
from careplane.providers import ChatRequest, scripted
from careplane.providers.scripted.faults import FAULTS, digest, with_fault
from careplane.records.model import Message

SOURCES = """[1] Patient: Maria Lopez, born 1980-02-03
[2] 2024-03-05 MedicationRequest: lisinopril 10 mg. Take once daily (active)
[3] 2024-02-01 Condition: Pain in left knee (active)"""


def written(task: str, message: str = "", language: str = "en", faults: float = 0.0) -> str:
    system = f"TASK: {task}\nLANGUAGE: {language}"
    user = f"<message>{message}</message>\n<sources>\n{SOURCES}\n</sources>"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    asked = ChatRequest(key="k", model="m", body={"messages": messages, "max_tokens": 900})
    return scripted.write(asked, faults)


def test_a_reply_greets_answers_the_topic_and_cites() -> None:
    text = written("draft_reply", "I need a refill of my blood pressure pills")
    assert text.startswith("Hello Maria,")
    assert "lisinopril 10 mg; Take once daily (active) [2]." in text
    assert "pharmacy" in text


def test_an_emergency_is_sent_to_urgent_care_first() -> None:
    text = written("draft_reply", "I have chest pain and need a refill")
    assert text.index("911") < text.index("pharmacy")
    assert "988" in written("draft_reply", "I want to die")


def test_it_answers_in_spanish() -> None:
    assert written("draft_reply", "necesito una receta", "es").startswith("Hola Maria,")


@pytest.mark.parametrize("task", ["summarise", "discharge_summary", "huddle_brief"])
def test_every_line_of_a_summary_cites(task: str) -> None:
    lines = [line for line in written(task).splitlines() if line.startswith("- ")]
    assert lines
    assert all(line.endswith("].") for line in lines)


def test_about_the_stated_share_has_a_fault_and_the_same_ones_each_time() -> None:
    plain = "You take lisinopril 10 mg [1]. Your left knee hurts [2]."
    seeds = [digest((Message(role="user", content=str(i)),)) for i in range(2000)]
    drafts = [with_fault(plain, seed, 6.0) for seed in seeds]
    assert 80 <= sum(draft != plain for draft in drafts) <= 160
    assert drafts == [with_fault(plain, seed, 6.0) for seed in seeds]
    assert len({draft for draft in drafts if draft != plain}) > len(FAULTS)


def test_random_placeholders_do_not_change_the_fault() -> None:
    one, other = (digest((Message(role="user", content=f"Hello [NAME-{n}]"),)) for n in (417, 923))
    assert one == other


@pytest.mark.parametrize("value", ["many", "-1", "101"])
def test_a_bad_share_is_refused(value: str) -> None:
    with pytest.raises(SettingsError):
        scripted.open({"fault_percent": value})
