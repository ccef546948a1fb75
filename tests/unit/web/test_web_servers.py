"""The start page: links to what somebody may use, in words, what runs there, and nothing that is not theirs."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from browsing import Browser, with_config
from houses import Town, session

from nbgate.keeper.running import Activity
from nbgate.model.route import Condition
from nbgate.testing.keeper_parts import TOKEN
from nbgate.web import servers as subject

PAGE = "/_nbgate/servers"


@pytest.fixture
def town(rig):
    """The servers that are mounted."""
    return Town(rig, rig.clock.unix() - 3600)


def ago(rig, minutes):
    at = datetime.fromtimestamp(rig.clock.unix(), UTC) - timedelta(minutes=minutes)
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def servers_of(shown):
    """Return the address and the words of each server that is linked."""
    return re.findall(r'<h2><a href="([^"]+)">([^<]+)</a></h2>', shown.raw)


def works_of(shown):
    """Return the notebooks and consoles as they are read: name, target, what it does, when."""
    found = re.findall(
        r'<span class="name">(?:<a href="([^"]+)">)?([^<]*)(?:</a>)?</span> <span class="activity" '
        r'data-activity="\w+">([^<]*)</span> <span class="quiet">([^<]*)</span>',
        shown.text,
    )
    return [(name, href, said, seen) for href, name, said, seen in found]


async def test_what_is_mounted_is_linked_with_its_name_and_since_when(ada, town, house):
    town.add("/b/", product="Jupyter Notebook").add("/a/")
    house.answers = {}
    shown = await ada.go(PAGE)
    assert [("/a/", "JupyterLab at /a/"), ("/b/", "Jupyter Notebook at /b/")] == servers_of(shown)
    assert 2 == shown.text.count('<span class="tag good">ready</span>')
    assert "1 hour ago" in shown.text
    assert 2 == shown.text.count("It does not say what runs there just now.")
    assert [] == [secret for secret in (TOKEN, "127.0.0.1", "--upstream") if secret in shown.text]


async def test_what_runs_there_is_said_with_a_link_to_each_notebook(ada, town, house, rig):
    town.add("/a/").add("/b/", product="Jupyter Notebook", base_url="/told/")
    house.answers = {
        "api/sessions": [
            session("work/old one.ipynb", "idle", ago(rig, 90)),
            session("work/titanic.ipynb", "busy", ago(rig, 2)),
            session("c-1", "idle", ago(rig, 30), type="console", name="Console 1"),
        ],
        "api/terminals": [{"name": "1"}, {"name": "2"}],
        "api/status": {"started": ago(rig, 240)},
    }
    shown = await ada.go(PAGE)
    assert [
        ("work/titanic.ipynb", "/a/lab/tree/work/titanic.ipynb", "at work", "2 minutes ago"),
        ("Console 1", "", "idle", "30 minutes ago"),
        ("work/old one.ipynb", "/a/lab/tree/work/old%20one.ipynb", "idle", "1 hour ago"),
        ("work/titanic.ipynb", "/b/notebooks/work/titanic.ipynb", "at work", "2 minutes ago"),
        ("Console 1", "", "idle", "30 minutes ago"),
        ("work/old one.ipynb", "/b/notebooks/work/old%20one.ipynb", "idle", "1 hour ago"),
    ] == works_of(shown)
    assert 2 == shown.text.count("and 2 terminals")
    assert 2 == shown.text.count("4 hours ago")
    assert (
        "127.0.0.1:9001",
        "/told/api/sessions?no_track_activity=1",
        {"Authorization": f"token {TOKEN}"},
    ) in house.asked


async def test_a_server_where_nothing_runs_says_so(ada, town):
    town.add("/a/")
    assert "Nothing runs there." in (await ada.go(PAGE)).text


async def test_more_than_fits_is_counted(ada, town, house):
    town.add("/a/")
    house.answers["api/sessions"] = [session(f"{number}.ipynb") for number in range(13)]
    shown = await ada.go(PAGE)
    assert 12 == len(works_of(shown))
    assert "and 1 more notebook or console" in shown.text
    assert "terminal" not in shown.text


@pytest.mark.parametrize(
    "path",
    ["../up.ipynb", "a/../../../_nbgate/logout", "./a.ipynb", "a//b.ipynb", "/a.ipynb", "a\u202eb.ipynb", "a/", ""],
)
async def test_a_path_that_leads_elsewhere_is_no_link(ada, town, house, path):
    town.add("/a/")
    house.answers["api/sessions"] = [session(path)]
    ((_, href, _, _),) = works_of(await ada.go(PAGE))
    assert "" == href


@pytest.mark.parametrize(
    ("path", "href"),
    [
        ('a"><script>.ipynb', "/a/lab/tree/a%22%3E%3Cscript%3E.ipynb"),
        ("a?b#c.ipynb", "/a/lab/tree/a%3Fb%23c.ipynb"),
        ("a%2fb.ipynb", "/a/lab/tree/a%252fb.ipynb"),
        ("a\\b.ipynb", "/a/lab/tree/a%5Cb.ipynb"),
        ("javascript:alert(1)", "/a/lab/tree/javascript%3Aalert%281%29"),
        ("été.ipynb", "/a/lab/tree/%C3%A9t%C3%A9.ipynb"),
    ],
)
async def test_a_path_is_text_and_a_path_alone(ada, town, house, path, href):
    town.add("/a/")
    house.answers["api/sessions"] = [session(path)]
    shown = await ada.go(PAGE)
    assert f'<a href="{href}">' in shown.raw
    assert "<script>" not in shown.raw


async def test_a_long_path_keeps_its_end(ada, town, house):
    town.add("/a/")
    house.answers["api/sessions"] = [session("x" * 900 + "/end.ipynb")]
    ((name, href, _, _),) = works_of(await ada.go(PAGE))
    assert ("…", 80, "/end.ipynb", True) == (name[0], len(name), name[-10:], "x" * 900 in href)


async def test_activity_in_the_future_is_now(ada, town, house, rig):
    town.add("/a/")
    house.answers = {"api/sessions": [session(seen=ago(rig, -600))], "api/status": {"started": ago(rig, -600)}}
    shown = await ada.go(PAGE)
    assert "just now" == works_of(shown)[0][3]
    assert "in 10 hours" not in shown.text


async def test_only_a_server_that_somebody_can_work_with_is_asked(ada, town, house):
    town.add("/a/", condition=Condition.OPEN).add("/b/", condition=Condition.DOWN).add("/c/", product="Voilà")
    shown = await ada.go(PAGE)
    assert [] == house.asked
    assert ("it asks for no credential of its own" in shown.text, "not answering" in shown.text) == (True, True)
    assert ["/a/", "/b/", "/c/"] == [href for href, _ in servers_of(shown)]
    assert 1 == shown.text.count("tag good")


async def test_a_server_of_others_is_not_shown_nor_asked(ada, bob, town, house):
    town.add("/a/", allowed=("ada",)).add("/b/").add("/c/", allowed=("ada", "bob"))
    shown = await bob.go(PAGE)
    assert ["/b/", "/c/"] == [href for href, _ in servers_of(shown)]
    assert "/a/" not in shown.text
    assert not any(upstream.endswith(":9000") for upstream, _, _ in house.asked)
    assert ["/a/", "/b/", "/c/"] == [href for href, _ in servers_of(await ada.go(PAGE))]


async def test_servers_of_one_address_say_what_that_means(ada, bob, town):
    town.add("/a/", allowed=("ada",))
    assert "share" not in (await ada.go(PAGE)).text
    assert "None is running that you may use." in (await bob.go(PAGE)).text
    town.add("/b/")
    assert "These 2 servers share this address: a page of one can act at the others." in (await ada.go(PAGE)).text
    said = "Servers that you may not use share this address: a page of theirs can act at yours"
    assert said in (await bob.go(PAGE)).text
    town.add("/c/", allowed=("bob",))
    shown = await ada.go(PAGE)
    assert "These 2 servers share this address" in shown.text
    assert "Servers that you may not use share it too." in shown.text


async def test_a_host_shows_its_own_servers_and_leads_to_the_others(ada, bob, town):
    town.add("/lab/", host="gw.test").add("/common/").add("/", host="ada.gw.test", allowed=("ada",))
    shown = await ada.go(PAGE)
    assert [("/lab/", "JupyterLab at gw.test/lab/")] == servers_of(shown)
    assert ['<a href="https://ada.gw.test:8443/">ada.gw.test:8443/</a>'] == re.findall(
        r'<a href="https:.*?</a>', shown.raw
    )
    assert "ada.gw.test" not in (await bob.go(PAGE)).text
    other = await ada.go(PAGE, Host="elsewhere.test")
    assert [("/common/", "JupyterLab at /common/")] == servers_of(other)
    assert 'href="https://ada.gw.test/"' in other.raw
    named = await ada.go(PAGE, Host="ADA.GW.TEST:8443")
    assert [("/", "JupyterLab at ada.gw.test/")] == servers_of(named)


async def test_no_more_are_shown_than_a_page_can_hold(ada, town, house):
    for number in range(subject.MAX_SHOWN + 2):
        town.add(f"/{number:03}/", product="Voilà").add("/", host=f"a{number:03}.gw.test")
    shown = await ada.go(PAGE)
    assert (subject.MAX_SHOWN, subject.MAX_SHOWN) == (len(servers_of(shown)), shown.raw.count('href="https://'))
    assert ("And 2 more" in shown.text, "These 202 servers" in shown.text) == (True, True)


async def test_without_servers_it_says_what_to_do(ada, town):
    assert "One that starts is found by itself" in (await ada.go(PAGE)).text


async def test_an_auditor_is_told_that_there_are_none_for_them(bob, client, rig, town, house, role_of):
    town.add("/a/")
    await role_of("bob", "auditor")
    auditor = await Browser(client, rig).sign_in("bob")
    shown = await auditor.go(PAGE)
    assert ("Your role opens no notebooks." in shown.text, [], []) == (True, servers_of(shown), house.asked)


async def test_an_owner_is_led_to_the_page_of_owners(ada, bob, town):
    assert "/_nbgate/admin" in (await ada.go(PAGE)).raw
    assert "/_nbgate/admin" not in (await bob.go(PAGE)).raw


async def test_who_must_set_up_a_code_does_that_first(ada, rig, town):
    with_config(rig, require_second_factor=("all",))
    assert (303, "/_nbgate/account/totp") == ((shown := await ada.go(PAGE)).status, shown.location)


async def test_strangers_sign_in_and_no_script_reads_it(stranger, ada, town):
    assert (303, "/_nbgate/login") == ((shown := await stranger.go(PAGE)).status, shown.location)
    assert 403 == (await ada.go(PAGE, Sec_Fetch_Dest="empty")).status


async def test_what_is_found_is_shown_as_the_keeper_sees_it(ada, rig):
    await rig.keeper.mounts.look_once()
    assert [("/", "JupyterLab at /")] == servers_of(await ada.go(PAGE))


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_has_its_words(condition):
    assert subject.SAID[condition]


@pytest.mark.parametrize("activity", list(Activity))
def test_everything_a_kernel_does_has_its_words(activity):
    assert subject._ACTIVITIES[activity]
