"""Reading and checking app folders: what ships passes, and each mistake is told with its line."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

import careplane.apps
from careplane._shelf import items, load
from careplane.apps import check_app, new_app, read_app, schema, unknown_measures
from careplane.apps.cases import read_cases
from careplane.apps.template import render_prompt
from careplane.codecs.fhir.search import WITH_LOCATION
from careplane.codecs.lesson import parse_lesson
from careplane.errors import Conflict, InputError, ManifestError
from careplane.providers import ChatRequest
from careplane.providers.scripted import write
from careplane.records.run import Source
from careplane.shield.checks import Checked, run_checks, sentences

SHELF = Path(careplane.apps.__file__).parent
SHIPPED = sorted(path.parent.name for path in SHELF.glob("*/app.yaml"))
COMPLETE = (
    "access_assistant",
    "ambient_note",
    "bed_huddle",
    "denial_appeal",
    "discharge_summary",
    "infection_surveillance",
    "plain_instructions",
    "portal_reply",
    "previsit_summary",
    "prior_auth",
    "shift_handoff",
)
"""The eleven of the catalogue that run; between them they use every kind of trigger but manual."""
UNMEASURED = {
    "behavioural_measures": "measured_care_followup",
    "coding_query": "dnfb_days",
    "denial_appeal": "overturn_value",
    "invoice_check": "recovered_per_hour",
    "or_schedule": "late_conflicts",
    "referral_packet": "referral_first_time_accepted",
    "safety_event_triage": "days_to_review",
    "supply_substitution": "hours_to_plan",
    "transfer_screen": "transfer_decision_minutes",
    "trial_prescreen": "screened_per_enrolled",
}
"""The primary measure of an app that the library does not have; of those that run, the denial appeal alone."""
GOALS = ("access", "equity", "margin", "safety", "workforce")
REFERENCE = Path(__file__).resolve().parents[2] / "docs/reference/app.schema.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_app(tmp_path, "my_idea")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_app_has_no_problem(name: str) -> None:
    assert check_app(SHELF / name, goals=GOALS) == []


def test_measures_that_apps_name_are_on_the_shelf() -> None:
    """No plan can be drafted for the apps listed here: nothing on the shelf stands for what they promise."""
    shelf = items("measures")
    unknown = {name: [one.message for one in unknown_measures(SHELF / name, shelf)] for name in SHIPPED}
    assert {name: told for name, told in unknown.items() if told} == {
        name: [f"'{measure}' is not on the shelf of measures"] for name, measure in UNMEASURED.items()
    }
    for name in SHIPPED:
        chosen = read_app(SHELF / name).spec.measures
        assert not {*chosen.primary} & {*chosen.balancing}
        assert all(load("measures", one).MEASURE.info.judged for one in chosen.primary if one != UNMEASURED.get(name))


def test_eleven_apps_are_complete() -> None:
    apps = {name: read_app(SHELF / name) for name in SHIPPED}
    assert tuple(name for name, app in apps.items() if app.runnable) == COMPLETE
    for name in COMPLETE:
        assert 4 <= len(parse_lesson(apps[name].lesson or "").questions) <= 5
        assert read_cases(SHELF / name)


def test_published_schema_is_current() -> None:
    assert json.loads(REFERENCE.read_text()) == schema()


def test_new_app_passes_its_check(folder: Path) -> None:
    assert check_app(folder) == []
    with pytest.raises(Conflict):
        new_app(folder.parent, "my_idea")
    with pytest.raises(InputError):
        new_app(folder.parent, "My-Idea")


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return act


@pytest.mark.parametrize(
    ("change", "file", "field", "words"),
    [
        (edit("app.yaml", "owner:", "ownr:"), "app.yaml", "ownr", "Did you mean 'owner'?"),
        (edit("app.yaml", "kind: manual", "kind: scheduel"), "app.yaml", "trigger.kind", "Did you mean 'schedule'?"),
        (edit("app.yaml", "patient_impact: 1", "patient_impact: 9"), "app.yaml", "tier.patient_impact", "3 or less"),
        (edit("app.yaml", "kind: manual", "kind: schedule"), "app.yaml", "trigger.cron", "five fields"),
        (edit("app.yaml", "kind: manual", "kind: schedule"), "app.yaml", "trigger.jobs", "jobs whose units"),
        (edit("app.yaml", "kind: manual", "kind: manual\n  jobs: [nurse]"), "app.yaml", "trigger.jobs", "belongs to"),
        (edit("app.yaml", "kind: manual", "kind: hook"), "app.yaml", "trigger.on", "must name"),
        (edit("app.yaml", "goals: [workforce]", "goals: [fame]"), "app.yaml", "goals[0]", "not a goal"),
        (edit("app.yaml", "id: my_idea", "id: your_idea"), "app.yaml", "id", "folder is named"),
        (edit("app.yaml", "_id={patient}", "name=x"), "app.yaml", "context[0].search", "minimum necessary"),
        (edit("app.yaml", "title:", "id: again\ntitle:"), "app.yaml", "id", "twice"),
        (edit("app.yaml", "title:", "\ttitle:"), "app.yaml", None, "not valid YAML"),
        (edit("app.yaml", "resource: Patient", "resource: Patiant"), "app.yaml", "context[0].resource", "'Patient'?"),
        (edit("app.yaml", "goals: [workforce]", "goals: []"), "app.yaml", "goals", "1 or more"),
        (edit("prompt.md", "{{ today }}", "{{ weather }}"), "prompt.md", None, "uses 'weather'"),
        (edit("prompt.md", "{{ today }}", "{{ today.__class__() }}"), "prompt.md", None, "calls a function"),
        (edit("prompt.md", "{{ today }}", "{{ 'x' * 999999999 }}"), "prompt.md", None, "multiplies"),
        (edit("prompt.md", "{{ today }}", "{{ '%999999999d' % 1 }}"), "prompt.md", None, "formats"),
        (edit("prompt.md", "{{ today }}", "{% set x = today ~ today %}"), "prompt.md", None, "sets a name"),
        (edit("prompt.md", "{{ today }}", "{{ " + "9" * 5000 + " }}"), "prompt.md", None, "not a valid template"),
        (edit("prompt.md", "{{ today }}", "{% if 1 %}" * 600 + "{% endif %}" * 600), "prompt.md", None, "too deep"),
        (edit("prompt.md", "{% endfor %}", ""), "prompt.md", None, "not a valid template"),
        (edit("prompt.md", "---user---", ""), "prompt.md", None, "---user---"),
        (edit("lesson.md", "- [x]", "- [ ]"), "lesson.md", None, "exactly one right option"),
        (edit("cases/one_condition.yaml", "expect:", "expects:"), "one_condition.yaml", "expects", "unknown field"),
    ],
)
def test_mistake_is_told_with_its_place(
    folder: Path, change: Callable[[Path], None], file: str, field: str | None, words: str
) -> None:
    change(folder)
    problems = check_app(folder, goals=GOALS)
    told = [problem for problem in problems if problem.field == field and words in problem.message]
    assert told, [str(problem) for problem in problems]
    assert Path(told[0].file or "").name == file
    assert told[0].line is not None


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("app.yaml", "a: " + "{a: " * 3000 + "1" + "}" * 3000, "is nested too deep"),
        ("app.yaml", "a: 1\n" * 20_000, "is larger than 64 KiB"),
        ("prompt.md", "TASK: x\n---user---\n" + "x" * 70_000, "is larger than 64 KiB"),
    ],
)
def test_a_monstrous_file_is_a_problem_like_any_other(folder: Path, file: str, text: str, words: str) -> None:
    (folder / file).write_text(text)
    assert words in [problem.message for problem in check_app(folder)]


@pytest.mark.parametrize("expression", ["1 / 0", "title + 1", "unit.nowhere", "sources[0] < 1"])
def test_a_prompt_that_fails_when_filled_in_says_so(folder: Path, expression: str) -> None:
    edit("prompt.md", "{{ today }}", f"{{{{ {expression} }}}}")(folder)
    values = {"title": "T", "today": "2026-03-02", "language": "en", "unit": "", "sources": ()}
    with pytest.raises(InputError, match="could not be filled in"):
        render_prompt(read_app(folder), values)


def test_line_is_the_line_of_the_mistake(folder: Path) -> None:
    lines = (folder / "app.yaml").read_text().splitlines()
    number = next(n for n, line in enumerate(lines, start=1) if "reach: 1" in line)
    edit("app.yaml", "reach: 1", "reach: lots")(folder)
    (problem,) = check_app(folder)
    assert (problem.line, problem.field) == (number, "tier.reach")
    with pytest.raises(ManifestError, match=f"app.yaml:{number}: tier.reach"):
        read_app(folder)


def test_all_problems_come_at_once(folder: Path) -> None:
    edit("app.yaml", "owner:", "ownr:")(folder)
    edit("app.yaml", "reach: 1", "reach: lots")(folder)
    assert [problem.field for problem in check_app(folder)] == [None, "ownr", "tier.reach"]


def test_hash_follows_each_text(folder: Path) -> None:
    seen = {read_app(folder).hash}
    for name in ("app.yaml", "prompt.md", "lesson.md"):
        with (folder / name).open("a") as file:
            file.write("\n")
        seen.add(read_app(folder).hash)
    assert len(seen) == 4


def test_key_named_on_is_not_a_boolean(folder: Path) -> None:
    edit("app.yaml", "kind: manual", "kind: subscription\n  on: Communication.created")(folder)
    assert read_app(folder).spec.trigger.on == "Communication.created"


CASES = [(name, title) for name in COMPLETE for title, case in read_cases(SHELF / name).items() if case.draft]


@pytest.mark.parametrize(("name", "title"), CASES)
def test_seeded_fault_is_found_by_the_checks(name: str, title: str) -> None:
    case = read_cases(SHELF / name)[title]
    sources = tuple(
        Source(n=n, reference=f"Basic/{n}", label="Basic", text=text) for n, text in enumerate(case.sources, start=1)
    )
    checked = Checked(
        text=case.draft or "",
        sentences=sentences(case.draft or ""),
        sources=sources,
        output=read_app(SHELF / name).spec.output,
        request_text=case.message,
    )
    assert set(case.expect.findings) <= {finding.check for finding in run_checks(checked)}


TOLD = [(name, title) for name in COMPLETE for title, case in read_cases(SHELF / name).items() if not case.draft]


@pytest.mark.parametrize(("name", "title"), TOLD)
def test_scripted_model_meets_the_case(name: str, title: str) -> None:
    app, case = read_app(SHELF / name), read_cases(SHELF / name)[title]
    sources = tuple(
        Source(n=n, reference=f"Basic/{n}", label="Basic", text=text) for n, text in enumerate(case.sources, start=1)
    )
    rules = {rule.as_name or rule.resource.lower(): sources for rule in app.spec.context}
    language = "es" if "Spanish" in str(case.sources) else "en"
    given = {"title": title, "today": "2026-03-12", "language": language, "unit": "Location/x", "sources": sources}
    prompt = render_prompt(app, {**rules, **given, "message": case.message})
    body = {"messages": [{"role": one.role, "content": one.content} for one in prompt]}
    text = write(ChatRequest(key="x", model="m", body={**body, "max_tokens": 900}), fault_percent=0)
    assert [words for words in case.expect.contains if words.lower() not in text.lower()] == [], text
    assert [words for words in case.expect.excludes if words.lower() in text.lower()] == [], text
    checked = Checked(
        text=text, sentences=sentences(text), sources=sources, output=app.spec.output, request_text=case.message
    )
    assert [finding for finding in run_checks(checked) if finding.severity == "critical"] == [], text


@pytest.mark.parametrize("name", SHIPPED)
def test_location_is_searched_only_where_r4_defines_it(name: str) -> None:
    for rule in read_app(SHELF / name).spec.context:
        parameters = {parameter for parameter, _ in parse_qsl(rule.search)}
        assert rule.resource in WITH_LOCATION or "location" not in parameters


@pytest.mark.parametrize(
    ("trigger", "field", "words"),
    [
        ("kind: event\n  on: Call.ended", "trigger.kind", "Write kind: api"),
        ("kind: event\n  on: Task.received", "trigger.kind", "on: Task.created"),
        ("kind: subscription\n  on: Task.x", "trigger.on", "such as Communication.created"),
        ("kind: subscription\n  on: Tusk.created", "trigger.on", "no FHIR R4 resource type"),
        ("kind: hl7v2\n  on: ADT-A03", "trigger.on", "such as ADT^A03"),
        ("kind: manual\n  on: x", "trigger.on", "leave it out"),
        ("kind: manual\ntriggers:\n  - kind: hook\n    on: a-b\n  - kind: hook\n    on: a-b", "triggers[1]", "repeats"),
        ("kind: chat\ntriggers:\n  - kind: erp", "triggers[0].on", "such as invoice.posted"),
        (
            "kind: schedule\n  cron: 0 6 * * *\n  jobs: [nurse]\n"
            "triggers:\n  - kind: schedule\n    cron: 0 7 * * *\n    jobs: [nurse]",
            "triggers[0].kind",
            "second schedule",
        ),
    ],
)
def test_mistake_in_a_trigger_is_told_with_its_field(folder: Path, trigger: str, field: str, words: str) -> None:
    file = folder / "app.yaml"
    text = file.read_text()
    start, end = text.index("trigger:\n"), text.index("# Only these resources")
    file.write_text(f"{text[:start]}trigger:\n  {trigger}\n{text[end:]}")
    told = [problem for problem in check_app(folder) if problem.field == field and words in problem.message]
    assert told, [str(problem) for problem in check_app(folder)]
    assert all(problem.line for problem in told)
