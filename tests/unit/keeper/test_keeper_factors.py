"""Second factors: begun, confirmed by a code, replaced, taken away; nothing counts before its code came."""

import pyotp
import pytest

from nbgate.audit.events import AuditContinue
from nbgate.config.schema import Config
from nbgate.crypto.recovery import digest_recovery_code
from nbgate.crypto.totp import unseal_totp_secret
from nbgate.errors import AuditError, CredentialRejected, InputRefused
from nbgate.keeper.account_changes import AccountError
from nbgate.keeper.factors import PENDING_SECONDS, Enrolment
from nbgate.keeper.login import LoginAttempt
from nbgate.link.messages import SessionPut, SessionsRevoked
from nbgate.testing.keeper_parts import PASSWORD, Rig

ROOT = "uid:0 root"


async def log_in(rig, code="", password=PASSWORD):
    attempt = LoginAttempt(username="ada", password=password, code=code, client="192.0.2.7", request_id="r1")
    return (await rig.keeper.log_in(attempt)).session


def code_at(rig, enrolment, steps=0):
    return pyotp.TOTP(enrolment.secret).at(rig.clock.unix() + 30 * steps)


async def set_up(rig, keep=None):
    enrolment = rig.keeper.factors.begin_totp("ada")
    codes = await rig.keeper.factors.confirm_totp("ada", code_at(rig, enrolment), ROOT, keep)
    rig.clock.advance(30)  # the code is used up
    return enrolment, codes


@pytest.fixture
def user(rig):
    return lambda: rig.state.users.get("ada")


async def test_what_is_begun_counts_once_its_code_came(rig, user):
    enrolment = rig.keeper.factors.begin_totp("Ada")
    assert ("", enrolment) == (user().totp, rig.keeper.factors.pending("ada"))
    await log_in(rig)
    codes = await rig.keeper.factors.confirm_totp("ada", code_at(rig, enrolment), ROOT)
    sealed = user().totp
    assert enrolment.secret == unseal_totp_secret(rig.values["totp_keyring"], sealed, "ada")
    assert (10, tuple(map(digest_recovery_code, codes))) == (len(set(codes)), user().recovery)
    assert (int(rig.clock.unix() // 30), None) == (user().totp_step, rig.keeper.factors.pending("ada"))
    with pytest.raises(CredentialRejected):
        await log_in(rig)
    with pytest.raises(CredentialRejected):
        await log_in(rig, code_at(rig, enrolment))  # that one is used up
    rig.clock.advance(30)
    assert ("password", "totp") == (await log_in(rig, code_at(rig, enrolment))).factors


async def test_a_change_ends_the_other_logins_and_the_one_that_made_it_gains_the_factor(rig):
    link, kept, other = rig.attach(), await log_in(rig), await log_in(rig)
    await set_up(rig, keep=kept.id)
    (revoked,) = link.of(SessionsRevoked)
    assert ((other.id,), "factor-changed") == (revoked.ids, revoked.reason)
    changed = rig.keeper.find_session(kept.id)
    assert (("password", "totp"), True, 2) == (changed.factors, changed.has_second_factor, changed.generation)
    assert SessionPut(session=changed) == link.of(SessionPut)[-1]
    await rig.keeper.factors.remove_totp("ada", ROOT, keep=kept.id)
    assert ("password",) == rig.keeper.find_session(kept.id).factors
    assert [("totp", "set up", 1), ("totp", "removed", 0)] == [
        (each["nbgate.factor"], each["message"], each.get("nbgate.session.ended", 0))
        for each in rig.sink.records("factor.change")
    ]


async def test_no_secret_is_recorded_or_stored_as_it_is(rig, user):
    enrolment, codes = await set_up(rig)
    for secret in (enrolment.secret, *codes):
        assert secret.encode() not in rig.sink.lines
        assert secret not in str(user())
        assert secret not in repr(enrolment)


@pytest.mark.parametrize("code", ["", "000000", "abcdef", "0" * 7])
async def test_a_wrong_code_changes_nothing_and_may_be_typed_again(rig, user, code):
    enrolment = rig.keeper.factors.begin_totp("ada")
    with pytest.raises(CredentialRejected):
        await rig.keeper.factors.confirm_totp("ada", code, ROOT)
    assert ("", enrolment) == (user().totp, rig.keeper.factors.pending("ada"))
    await rig.keeper.factors.confirm_totp("ada", code_at(rig, enrolment), ROOT)


async def test_what_is_begun_is_good_for_ten_minutes(rig):
    enrolment = rig.keeper.factors.begin_totp("ada")
    rig.clock.advance(PENDING_SECONDS)
    for _ in range(2):
        with pytest.raises(AccountError, match="more than ten minutes ago") as caught:
            await rig.keeper.factors.confirm_totp("ada", code_at(rig, enrolment), ROOT)
        assert 410 == caught.value.status
        rig.keeper.factors.begin_totp("bob")  # forgets what is over


async def test_who_begins_anew_gets_another_secret(rig):
    first, second = rig.keeper.factors.begin_totp("ada"), rig.keeper.factors.begin_totp("ada")
    assert first.secret != second.secret
    with pytest.raises(CredentialRejected):
        await rig.keeper.factors.confirm_totp("ada", code_at(rig, first), ROOT)
    assert second == rig.keeper.factors.pending("ada")


@pytest.mark.parametrize(
    ("hosts", "host", "account"),
    [((), "", "ada"), (("gate.example", "b.example"), "", "ada%40gate.example"), ((), "h.example", "ada%40h.example")],
)
async def test_an_app_shows_whose_and_where_it_is(hosts, host, account):
    rig = Rig(config=Config(hosts=hosts))
    enrolment = rig.keeper.factors.begin_totp("ada", host)
    expected = f"otpauth://totp/nbgate:{account}?secret={enrolment.secret}&issuer=nbgate"
    assert Enrolment(enrolment.secret, expected) == enrolment
    await rig.close()


async def test_who_is_not_there_gets_no_factor(rig):
    enrolment = rig.keeper.factors.begin_totp("bob")
    with pytest.raises(AccountError, match="there is no user bob"):
        await rig.keeper.factors.confirm_totp("bob", code_at(rig, enrolment), ROOT)
    with pytest.raises(InputRefused):
        rig.keeper.factors.begin_totp("no such name")


async def test_recovery_codes_are_replaced_and_logins_go_on(rig, user):
    _, before = await set_up(rig)
    kept = await log_in(rig, before[0])
    codes = await rig.keeper.factors.new_recovery_codes("ada", ROOT)
    assert (tuple(map(digest_recovery_code, codes)), 0) == (user().recovery, len({*codes} & {*before}))
    assert kept == rig.keeper.find_session(kept.id)
    assert "made" == rig.sink.records("factor.change")[-1]["message"]
    with pytest.raises(CredentialRejected):
        await log_in(rig, before[1])
    assert ("password", "recovery") == (await log_in(rig, codes[0])).factors


async def test_totp_alone_opens_where_the_operator_says_so(rig, user):
    enrolment, _ = await set_up(rig)
    kept = await log_in(rig, code_at(rig, enrolment))
    other = await rig.keeper.log_in_by_link(
        await rig.keeper.links.make("ada", ROOT),
        LoginAttempt(username="ada", client="192.0.2.7", request_id="r2"),
    )
    await rig.keeper.factors.set_totp_alone("ada", ROOT, keep=kept.id)
    assert "" == user().password_hash
    assert [True, False] == [rig.keeper.find_session(each.id) is not None for each in (kept, other.session)]
    rig.clock.advance(30)
    assert ("totp",) == (await log_in(rig, code_at(rig, enrolment), password="")).factors
    with pytest.raises(InputRefused, match="TOTP alone"):
        await rig.keeper.factors.remove_totp("ada", ROOT)
    await rig.keeper.accounts.set_password("ada", "another horse battery", ROOT)
    await rig.keeper.factors.remove_totp("ada", ROOT)
    await log_in(rig, password="another horse battery")


@pytest.mark.parametrize("what", ["remove_totp", "new_recovery_codes", "set_totp_alone"])
async def test_without_a_second_factor_there_is_nothing_to_change(rig, user, what):
    before = user()
    with pytest.raises(InputRefused, match="has no second factor"):
        await getattr(rig.keeper.factors, what)("ada", ROOT)
    assert before == user()


@pytest.mark.parametrize("what", ["confirm_totp", "remove_totp", "new_recovery_codes", "set_totp_alone"])
async def test_nothing_is_changed_while_the_audit_fails(rig, user, what):
    enrolment, _ = await set_up(rig)
    rig.keeper.factors.begin_totp("ada")
    before = user()
    rig.sink.broken = True
    with pytest.raises(AuditError):
        await rig.audit.append_durable(AuditContinue(**rig.audit.stamp(), segment="s"))
    arguments = ("ada", code_at(rig, enrolment), ROOT) if what == "confirm_totp" else ("ada", ROOT)
    with pytest.raises(AuditError, match="cannot be written"):
        await getattr(rig.keeper.factors, what)(*arguments)
    assert before == user()
