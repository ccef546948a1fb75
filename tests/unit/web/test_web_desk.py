import pytest

from nbgate.errors import (
    AuditError,
    CredentialRejected,
    InputRefused,
    LockedDown,
    LoginBusy,
    LoginThrottled,
    NbgateError,
    SecondFactorRejected,
)
from nbgate.keeper.account_changes import AccountError
from nbgate.testing.keeper_parts import PASSWORD
from nbgate.web.bodies import BodyError
from nbgate.web.desk import confirm_fields, problem_of, throttled


@pytest.mark.parametrize(
    ("error", "status", "said", "retry_seconds"),
    [
        (CredentialRejected(), 403, "The password or the code is wrong.", 0),
        (SecondFactorRejected(), 403, "The password or the code is wrong.", 0),
        (LoginThrottled(120.2), 429, "Wait 3 minutes", 121),
        (LoginThrottled(0.0), 429, "Wait 1 second", 1),
        (LoginBusy(), 503, "Too many passwords are being checked", 3),
        (LockedDown(), 503, "Signing in is closed by the operator. Ask whoever runs this gateway.", 0),
        (InputRefused("no password", hint="choose one"), 400, "No password. Choose one.", 0),
        (AccountError(404, "there is no user x", ""), 404, "There is no user x.", 0),
        (AuditError("cannot write /var/lib/nbgate"), 503, "That did not work just now.", 3),
        (NbgateError("private detail"), 503, "That did not work just now.", 3),
    ],
)
def test_every_failure_says_what_to_do(error, status, said, retry_seconds):
    problem = problem_of(error)
    assert (status, retry_seconds) == (problem.status, problem.retry_seconds)
    assert said in problem.text
    assert "/var/lib" not in problem.text
    assert "private" not in problem.text


def test_a_wrong_credential_is_said_in_the_words_of_its_page():
    assert "Another." == problem_of(CredentialRejected(), "Another.").text


def test_a_form_of_another_shape_is_no_problem_of_the_person():
    with pytest.raises(BodyError):
        problem_of(BodyError(400, "unknown field"))


@pytest.mark.parametrize(("seconds", "retry"), [(0.0, 1), (0.1, 1), (1.0, 1), (1.1, 2), (7200.0, 7200)])
def test_a_wait_is_whole_seconds_and_never_none(seconds, retry):
    assert retry == throttled(seconds).retry_seconds


def test_a_form_that_asks_again_has_a_token_and_may_have_more():
    fields = confirm_fields("end", optional=("anyway",))
    assert ({"form_token", "end"}, {"password", "code", "anyway"}) == (set(fields.required), set(fields.optional))


async def test_a_form_whose_session_ended_on_its_way_does_nothing(ada, rig, monkeypatch):
    shown = await ada.go("/_nbgate/account/totp")
    find, asked = rig.keeper.find_session, []

    def once(session_id):
        asked.append(session_id)
        return find(session_id) if len(asked) == 1 else None

    monkeypatch.setattr(rig.keeper, "find_session", once)
    refused = await ada.press(shown, password=PASSWORD)
    assert (401, True) == (refused.status, "signed out in the meantime" in refused.problem)
    assert rig.keeper.factors.pending("ada") is None


@pytest.mark.parametrize(("destination", "status"), [("document", 200), ("empty", 403), ("iframe", 403)])
async def test_a_page_that_holds_a_form_token_is_no_answer_to_a_script(ada, destination, status):
    answer = await ada.go("/_nbgate/account/totp", **{"Sec-Fetch-Dest": destination})
    assert status == answer.status
    assert ("form_token" in answer.raw) is (status == 200)
