"""Who may use which notebook server, as people type it."""

import pytest

from nbgate.config.addresses import AddressError
from nbgate.config.allow import parse_allow, split_allow
from nbgate.config.document import File, Source, build_config
from nbgate.errors import ConfigError

HOME = {"HOME": "/home/ada"}
HINT = "write the notebook server's prefix, = and who may use it, for example /ada/=ada,bob"
NAME_HINT = "use 1 to 64 of the letters a-z, digits, dot, underscore, hyphen and @"


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], {}),
        (["/ada/=ada,bob"], {"/ada/": ("ada", "bob")}),
        (["/=ada"], {"/": ("ada",)}),
        (["/a/b/=Ada, BOB ,ada"], {"/a/b/": ("ada", "bob")}),
        ([" /ada/ = ada@example.org "], {"/ada/": ("ada@example.org",)}),
        (["/ada/=ada", "/bob/=bob,ada,"], {"/ada/": ("ada",), "/bob/": ("bob", "ada")}),
        (["/b%20c/=ada"], {"/b%20c/": ("ada",)}),
    ],
)
def test_who_may_use_which_server(items, expected):
    assert expected == parse_allow(items)


@pytest.mark.parametrize(
    ("items", "text", "hint"),
    [
        ([""], "'' does not say who may use it", HINT),
        (["/ada/"], "'/ada/' does not say who may use it", HINT),
        (["/ada/=ada", "bob"], "'bob' does not say who may use it", HINT),
        (["=ada"], "'' is not a prefix", HINT),
        (["/ada=ada"], "'/ada' is not a prefix", "did you mean /ada/?"),
        (["ada/=ada"], "'ada/' is not a prefix", "did you mean /ada/?"),
        (["//=ada"], "'//' is not a prefix", "did you mean /?"),
        (["/a//b/=ada"], "'/a//b/' is not a prefix", HINT),
        (["/a/../b/=ada"], "'/a/../b/' is not a prefix", HINT),
        (["/a b/=ada"], "'/a b/' is not a prefix", HINT),
        (["https://gw/ada/=ada"], "'https://gw/ada/' is not a prefix", HINT),
        (["/ada/="], "nobody may use /ada/", "name who may, or take it away: then all users may"),
        (["/ada/= , "], "nobody may use /ada/", "name who may, or take it away: then all users may"),
        (["/ada/=ada,b b"], "'b b' is no user name", NAME_HINT),
        (["/ada/=ada=bob"], "'ada=bob' is no user name", NAME_HINT),
        (["/ada/=ada", "/ada/=bob"], "/ada/ is named twice", "write all names of a prefix into one item"),
    ],
)
def test_what_does_not_say_who_is_refused_with_what_to_write(items, text, hint):
    with pytest.raises(AddressError) as caught:
        parse_allow(items)

    assert (text, hint) == (str(caught.value), caught.value.hint)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("/ada/=ada", ["/ada/=ada"]),
        ("/ada/=ada,bob", ["/ada/=ada,bob"]),
        ("/ada/=ada,bob,/bob/=bob", ["/ada/=ada,bob", "/bob/=bob"]),
        ("/ada/=ada, /bob/=bob,", ["/ada/=ada", "/bob/=bob,"]),
    ],
)
def test_one_text_holds_several_items(text, expected):
    assert expected == split_allow(text)


@pytest.mark.parametrize(
    ("environ", "flags"),
    [
        ({"NBGATE_ALLOW": "/ada/=ada,bob,/bob/=bob"}, {}),
        ({}, {"allow": "/ada/=ada,bob,/bob/=bob"}),
        ({}, {"allow": ["/ada/=ada,bob", "/bob/=bob"]}),
        ({}, {"allow": ["/ada/=ada,bob,/bob/=bob"]}),
    ],
)
def test_flags_and_variables_say_the_same_as_a_file(environ, flags):
    shared = HOME | {"NBGATE_SHARED_ORIGIN": "true"}
    loaded = build_config(Source(environ=shared | environ, flags=flags))
    from_file = build_config(
        Source(environ=shared), File(path="/x.toml", text='allow = ["/ada/=ada,bob", "/bob/=bob"]\n')
    )
    assert from_file.config.allow == loaded.config.allow == ("/ada/=ada,bob", "/bob/=bob")


def test_what_is_wrong_is_told_with_its_place():
    with pytest.raises(ConfigError) as caught:
        build_config(Source(environ=HOME), File(path="/x.toml", text='\nallow = ["/ada=ada"]\n'))

    assert [("/x.toml:2", "allow: '/ada' is not a prefix", "did you mean /ada/?")] == [
        (problem.where, problem.text, problem.hint) for problem in caught.value.problems
    ]
