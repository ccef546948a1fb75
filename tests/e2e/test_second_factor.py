"""People set up codes on the account pages, sign in with them, make tokens and end sign-ins; a real JupyterLab is behind.

No own page may complain on its console, and no secret may lie anywhere on the gateway's side: both are looked at after
every test.
"""

import re

import lab_steps
import pytest
import relogin_steps
import second_factor_steps as steps
import secrets_hunt
from playwright.sync_api import expect

from nbgate.testing.gateway import CHEAP_LOGIN, running_gateway

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

EDITORS_NEED_A_CODE = 'require_second_factor = ["editor"]\n' + CHEAP_LOGIN
ADMINISTRATION = "Administration"
OUT_MS = 1000.0
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.fixture(scope="module")
def gateway(jupyter, tmp_path_factory):
    environment = {"JUPYTER_RUNTIME_DIR": str(jupyter.runtime)}
    folder, upstream = tmp_path_factory.mktemp("gateway"), f"localhost:{jupyter.port}"
    with running_gateway(folder, upstream, environment=environment, config=EDITORS_NEED_A_CODE) as running:
        yield running


@pytest.fixture
def scene(gateway, jupyter, browser):
    made = steps.Scene(gateway, browser)
    try:
        yield made
    finally:
        made.close()
    assert [] == made.complaints
    places = [*secrets_hunt.files_below(gateway.folder), ("jupyter.log", jupyter.program.log.read_bytes())]
    assert {"nbgate.log", "state.db"} <= {place.rpartition("/")[2] for place, _ in places}
    assert any("/audit/" in place for place, _ in places)
    assert made.secrets
    assert [] == secrets_hunt.find(made.secrets, places)


def set_up(hand, person):
    """From the account page on, set up the code; arrive at the account page again."""
    hand.follow("Set up the code from your phone")
    steps.begin(hand, person)
    steps.confirm(hand, person)
    hand.follow("I have kept them")


def sign_in_at(scene, hand, path, person, code=""):
    hand.page.goto(f"{scene.base_url}{path}")
    steps.sign_in(hand, person, code)


def expect_lab(page):
    expect(page).to_have_url(re.compile(r"/lab(\?|$|/)"))


SMALL_AND_DARK = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2}
HANDS = {
    "a mouse": (steps.Mouse, {}),
    "keys alone": (steps.Keys, {}),
    "a mouse without scripts": (steps.Mouse, {"java_script_enabled": False, **SMALL_AND_DARK}),
    "keys alone without scripts": (steps.Keys, {"java_script_enabled": False}),
}


@pytest.mark.parametrize("how", HANDS)
def test_a_code_is_set_up_by_its_picture_and_asked_for_from_then_on(scene, how):
    make_hand, options = HANDS[how]
    person = scene.person(f"anna{list(HANDS).index(how)}", "owner")
    page = scene.page(**options)
    hand = make_hand(page)
    sign_in_at(scene, hand, "/_nbgate/account", person)
    hand.follow("Set up the code from your phone")
    steps.begin(hand, person)
    assert f"{person.name}@{page.url.split('/')[2]}" == person.phone.account
    hand.unfold("I cannot scan it")
    expect(page.locator(".secret")).to_have_text(person.phone.in_groups)
    steps.mistype(hand, person)
    steps.confirm(hand, person)
    hand.follow("I have kept them")
    expect(page.get_by_text("10 left")).to_be_visible()
    steps.sign_out(hand)
    steps.sign_in(hand, person)
    steps.expect_refused(page)
    steps.sign_in(hand, person, person.phone.code())
    expect(page).to_have_url(re.compile(r"/(_nbgate/account|lab)"))
    page.goto(f"{scene.base_url}/_nbgate/account")
    expect(page.get_by_text("password and code from a phone")).to_be_visible()


def test_codes_open_lab_once_each(scene):
    ben = scene.person("ben", "owner")
    page = scene.page()
    hand = steps.Mouse(page)
    sign_in_at(scene, hand, "/_nbgate/account", ben)
    set_up(hand, ben)
    steps.sign_out(hand)

    code = ben.phone.code()
    sign_in_at(scene, hand, "/lab", ben, code)
    expect_lab(page)
    other = steps.Mouse(scene.page())
    sign_in_at(scene, other, "/lab", ben, code)
    steps.expect_refused(other.page)
    lab_steps.new_notebook(page, scene.base_url)
    lab_steps.run_six_times_seven(page)

    sign_in_at(scene, other, "/lab", ben, ben.codes[0])
    expect_lab(other.page)
    third = steps.Mouse(scene.page())
    sign_in_at(scene, third, "/_nbgate/account", ben, ben.codes[0])
    steps.expect_refused(third.page)
    steps.sign_in(third, ben, ben.codes[1].replace("-", " ").lower())
    expect(third.page.get_by_text("8 left")).to_be_visible()


def opened(scene, page, path, **more):
    """Return the status of what the page's browser asks for, as one of its scripts would."""
    origin = {"Origin": scene.gateway.base_url, "Sec-Fetch-Site": "same-origin"}
    return scene.gateway.request("GET", path, headers={"Cookie": scene.cookies(page), **origin, **more})[0]


def test_who_must_have_a_code_sets_it_up_and_is_in_lab_without_signing_in_anew(scene):
    eve = scene.person("eve", "editor")
    page = scene.page()
    hand = steps.Mouse(page)
    sign_in_at(scene, hand, "/lab", eve)
    expect(page).to_have_url(re.compile(r"/_nbgate/account/totp$"))
    expect(page.get_by_role("status")).to_contain_text("This gateway asks you for it")
    assert 403 == opened(scene, page, "/api/contents")
    assert 403 == opened(scene, page, "/api/kernels/0/channels", **HANDSHAKE)
    assert 403 == opened(scene, page, "/terminals/websocket/1", **HANDSHAKE)
    page.goto(f"{scene.base_url}/lab/tree/Untitled.ipynb")
    expect(page).to_have_url(re.compile(r"/_nbgate/account/totp$"))

    steps.begin(hand, eve)
    assert 403 == opened(scene, page, "/api/contents")
    steps.confirm(hand, eve)
    hand.follow("I have kept them")
    hand.follow("Back to the notebooks")
    expect_lab(page)
    assert 200 == opened(scene, page, "/api/contents")
    lab_steps.new_notebook(page, scene.base_url)
    lab_steps.run_six_times_seven(page)
    hers = [record["event.action"] for record in scene.gateway.audit() if record.get("user.name") == eve.name]
    assert 1 == hers.count("auth.login")


def asked(scene, token, method="GET", path="/api/contents"):
    """Return the status that a program gets which knows the token and nothing else."""
    return scene.gateway.request(method, path, headers={"Authorization": f"token {token}"})[0]


def test_a_token_of_the_account_page_works_until_it_is_ended_there(scene):
    finn = scene.person("finn", "owner")
    page = scene.page()
    hand = steps.Mouse(page)
    sign_in_at(scene, hand, "/_nbgate/account", finn)
    hand.follow("Manage tokens for programs")
    tokens = {}
    for name, scope in (("reader", "read notebooks and files"), ("runner", "read, write and run")):
        hand.fill("Name", name)
        hand.choose(scope)
        hand.fill("Your password", finn.password)
        hand.press("Make the token")
        tokens[name] = page.get_by_label("Token", exact=True).inner_text().strip()
        hand.follow("I have copied it")
    scene.secrets |= tokens

    assert [200, 200] == [asked(scene, token) for token in tokens.values()]
    assert 403 == asked(scene, tokens["reader"], "POST", "/api/contents")
    assert 201 == asked(scene, tokens["runner"], "POST", "/api/contents")
    hand.follow("End the token runner")
    hand.fill("Your password", finn.password)
    hand.press("End it")
    expect(page.get_by_role("status")).to_contain_text("The token is ended.")
    assert [200, 401] == [asked(scene, token) for token in tokens.values()]


def test_an_owner_ends_somebodys_sign_in_and_the_open_lab_is_signed_out(scene):
    gus, hana = scene.person("gus", "owner"), scene.person("hana", "editor")
    context = scene.context()
    relogin_steps.tell_closes(context)
    lab, admin = context.new_page(), scene.page()
    hers, his = steps.Mouse(lab), steps.Mouse(admin)
    sign_in_at(scene, hers, "/lab", hana)
    steps.begin(hers, hana)
    steps.confirm(hers, hana)
    lab_steps.new_notebook(lab, scene.base_url)
    lab_steps.run_six_times_seven(lab)

    sign_in_at(scene, his, "/_nbgate/account", gus)
    his.follow(ADMINISTRATION)
    his.follow("End hana:")
    expect(admin.get_by_text("1 notebook or terminal")).to_be_visible()
    his.fill("Your password", gus.password)
    his.press("End it")
    relogin_steps.expect_closed(lab, "/api/kernels/", OUT_MS)
    expect(admin.get_by_role("status")).to_contain_text("Ended.")
    expect(relogin_steps.words(lab)).to_have_text(relogin_steps.SIGNED_OUT)
    assert 401 == opened(scene, lab, "/api/contents")
    lab.goto(f"{scene.base_url}/_nbgate/account")
    expect(lab).to_have_url(re.compile(r"/_nbgate/login"))
    assert 200 == opened(scene, admin, "/api/contents")


OWN_PAGES = {
    "/_nbgate/account": "Your account",
    "/_nbgate/account?end=others": "End all other sign-ins?",
    "/_nbgate/account/password": "Change your password",
    "/_nbgate/account/totp": "Code from your phone",
    "/_nbgate/account/totp?remove": "Switch the code off?",
    "/_nbgate/account/codes": "New recovery codes",
    "/_nbgate/account/tokens": "Tokens for programs",
    "/_nbgate/admin": ADMINISTRATION,
    "/_nbgate/admin?end-user=ada": "End all sign-ins of ada?",
    "/_nbgate/admin?clear=all": "Clear all penalties?",
    "/_nbgate/admin/routes": "Add a notebook server",
    "/_nbgate/servers": "Notebook servers",
    "/_nbgate/logout": "Sign out?",
}


def test_no_own_page_complains(scene):
    ida = scene.person("ida", "owner")
    page = scene.page()
    hand = steps.Mouse(page)
    sign_in_at(scene, hand, "/_nbgate/account", ida)
    set_up(hand, ida)
    for path, heading in OWN_PAGES.items():
        assert 200 == page.goto(f"{scene.base_url}{path}").status
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    with page.context.expect_page() as opening:
        page.evaluate("window.open('/_nbgate/signed-in', '', 'popup').name")
    opening.value.is_closed() or opening.value.wait_for_event("close")
    page.goto(f"{scene.base_url}/_nbgate/account/codes")
    hand.fill("Your password", ida.password)
    hand.fill("Code from your phone", ida.codes[0])
    hand.press("Make ten new ones")
    shown = page.get_by_label("Recovery codes", exact=True).inner_text().split()
    assert set() == {*shown} & {*ida.codes}
    scene.secrets |= {f"new recovery code {number}": code for number, code in enumerate(shown)}
