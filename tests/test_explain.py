"""What ``explain`` says to a code, a number, a cause, a state, pasted text and nonsense."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loganalyzer.catalogue import Catalogue, load_catalogue
from loganalyzer.explain import explain

CATALOGUE = load_catalogue()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return CATALOGUE


def test_a_code_gives_its_candidate_causes_in_the_order_of_the_catalogue(catalogue: Catalogue) -> None:
    explanation = explain(catalogue, "  userErrorGuestAgentStatusUNAVAILABLE ")
    assert [found.error.code for found in explanation.errors] == ["UserErrorGuestAgentStatusUnavailable"]
    causes = [cause.id for cause in explanation.causes]
    assert causes == [name for name in catalogue.causes if name in explanation.errors[0].error.causes]
    assert len(causes) == 30


def test_a_misspelt_code_that_is_real_is_an_alias(catalogue: Catalogue) -> None:
    (found,) = explain(catalogue, "ExtentionOperationFailed").errors
    assert found.error.code == "ExtensionOperationFailedForManagedDisks"


@pytest.mark.parametrize("query", ["400094", "errorCode: 400094", "Error 400094", '"errorCode": 400094'])
def test_a_number_of_the_service_is_explained(catalogue: Catalogue, query: str) -> None:
    explanation = explain(catalogue, query)
    assert [found.error.code for found in explanation.errors] == ["BCMV2VMNotFound"]
    assert [cause.id for cause in explanation.causes] == ["vm-deleted-or-moved"]


def test_a_number_of_the_extension_gives_its_own_and_the_services_error(catalogue: Catalogue) -> None:
    explanation = explain(catalogue, "VMSnapshotLinux 76")
    assert [meaning.name for meaning in explanation.numbers] == ["FailedRetryableSnapshotFailedNoNetwork"]
    assert [found.error.code for found in explanation.errors] == [
        "ExtensionSnapshotFailedNoNetwork",
        "VMSnapshotLinux.StatusCode.FailedRetryableSnapshotFailedNoNetwork",
    ]
    assert explanation.causes


def test_a_number_is_looked_up_only_in_the_program_that_is_named(catalogue: Catalogue) -> None:
    assert [one.program for one in explain(catalogue, "556").numbers] == [
        "VMSnapshotLinux",
        "VMSnapshotLinux host call",
    ]
    assert [one.number for one in explain(catalogue, "hostStatusCodeDoSnapshot=556").numbers] == [556]
    assert [one.program for one in explain(catalogue, "WALinuxAgent 1009").numbers] == ["WALinuxAgent"]
    assert not explain(catalogue, "WALinuxAgent 76").found


def test_a_cause_gives_its_remedies_and_the_errors_it_explains(catalogue: Catalogue) -> None:
    explanation = explain(catalogue, "wireserver-blocked")
    (cause,) = explanation.causes
    assert cause.id == "wireserver-blocked"
    assert [found.error.code for found in explanation.errors] == list(cause.errors)
    assert "goal-state-not-fetched" in explanation.leads_to


def test_a_state_gives_the_causes_that_lead_to_it(catalogue: Catalogue) -> None:
    explanation = explain(catalogue, "no-agent-heartbeat")
    assert [state.id for state in explanation.states] == ["no-agent-heartbeat"]
    assert "wireserver-blocked" in [cause.id for cause in explanation.causes]
    assert "UserErrorGuestAgentStatusUnavailable" in explanation.leads_to


def test_pasted_text_of_the_portal_is_understood(catalogue: Catalogue) -> None:
    pasted = """Error Code\tGuestAgentSnapshotTaskStatusError
    Error Message\tCould not communicate with the VM agent for snapshot status.
    Recommended action\tEnsure the VM has network connectivity.
    Backup can’t cancel the job because it isn’t in progress"""
    explanation = explain(catalogue, pasted)
    assert [(one.error.code, one.by) for one in explanation.errors] == [("GuestAgentSnapshotTaskStatusError", "code")]
    assert len(explanation.messages) == 1


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("UserErrorGuestAgentStatusUnavailible", "UserErrorGuestAgentStatusUnavailable"),
        ("we got FailedRetryableFsFreezFailed tonight", "FailedRetryableFsFreezeFailed"),
        ("wire-server-blocked", "wireserver-blocked"),
        ("bitlocker", "bitlocker-locked-volume"),
        ("no-agent-heartbeats", "no-agent-heartbeat"),
    ],
)
def test_an_unknown_name_gives_what_may_be_meant(catalogue: Catalogue, query: str, meant: str) -> None:
    explanation = explain(catalogue, query)
    assert not explanation.found
    assert meant in explanation.suggestions


@pytest.mark.parametrize("query", ["", "   ", "zzzz", "99999", "\x00((("])
def test_nonsense_is_explained_by_nothing(catalogue: Catalogue, query: str) -> None:
    explanation = explain(catalogue, query)
    assert not explanation.found
    assert explanation.suggestions == ()


def test_the_json_holds_what_somebody_needs_to_act(catalogue: Catalogue) -> None:
    told = json.loads(json.dumps(explain(catalogue, "ExtensionSnapshotFailedCOM").to_json()))
    (error,) = told["errors"]
    assert error["message"] == "Snapshot operation failed due to COM+ error"
    assert error["doc"]["url"].startswith("https://")
    assert {cause["cause"] for cause in told["causes"]} == set(error["causes"])
    assert "com-plus-or-msdtc-unhealthy" in error["causes"]
    for cause in told["causes"]:
        assert cause["explanation"]
        assert cause["guest_visible"] in ("yes", "partly", "no")
        assert cause["remedies"]
        assert cause["docs"]
        assert all(one["command"] for one in cause["collect"])


@settings(max_examples=60, deadline=None)
@given(query=st.one_of(st.text(max_size=300), st.integers().map(str)))
def test_any_query_gives_an_answer_that_fits_into_json(query: str) -> None:
    told = explain(CATALOGUE, query).to_json()
    assert told["query"] == query.strip()
    json.dumps(told)
