"""The sandbox EHR introduces itself to an installation, as ``careplane demo`` has it, and its charts open drafts."""

from careplane.codecs.smart import LaunchContext
from careplane.console import find_accounts
from careplane.governance.ehrs import find_ehrs
from careplane.sandbox.launches import launching


def test_whose_drafts_wait_come_first_and_can_open_them(platform, upstream, running, browser, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one", patient="ben", user="Practitioner/p9")
    told: list[str] = []
    with launching(platform, upstream, running.address, told.append) as ehr:
        assert told == [f"The sandbox EHR opens drafts from a chart: {ehr.address}/"]
        home = browser.get(f"{ehr.address}/").text
        assert 0 < home.index("Ben Okoro") < home.index("Ana Quill")
        chart = browser.get(f"{ehr.address}/chart/ben").text
        assert 0 < chart.index("(p9)") < chart.index("(p1)")
        client = ehr.server.clients["careplane"]
        page = browser.go(ehr.pages.launch_url(client, "Practitioner/p9", LaunchContext(patient="Patient/ben")))
        assert page.url.path == "/review/run-one"
        assert page.headers["content-security-policy"].endswith(f"frame-ancestors {ehr.address}")
    accounts = {account.id: (account.person, account.roles) for account in find_accounts(platform.store)}
    assert accounts["p9"] == ("Practitioner/p9", ("clinician",))


def test_a_second_start_takes_the_place_of_the_first(platform, upstream, running, draft) -> None:  # type: ignore[no-untyped-def]
    draft("one")
    for _ in range(2):
        with launching(platform, upstream, running.address, lambda _line: None) as ehr:
            assert [known.issuer for known in find_ehrs(platform.store)] == [ehr.fhir_base]
    assert [account.id for account in find_accounts(platform.store)] == ["nia"], "who has an account gets no second"
