import re

import pytest

from nbgate.web.answers import FOLDER
from nbgate.web.assets import Assets


def test_a_name_changes_with_the_content(tmp_path):
    names = []
    for content in ("a{}", "b{}"):
        (tmp_path / "style.css").write_text(content)
        (tmp_path / "logo.svg").write_text("<svg/>")
        names.append(Assets(tmp_path).url("style.css"))
    assert names[0] != names[1]
    assert all(re.fullmatch(r"/_nbgate/static/style-[0-9a-f]{12}\.css", name) for name in names)


def test_what_was_named_is_found_and_nothing_else():
    assets = Assets(FOLDER / "static")
    found = assets.find(assets.url("logo.svg").rpartition("/")[2])
    assert ("image/svg+xml", (FOLDER / "static" / "logo.svg").read_bytes()) == (found.content_type, found.body)
    assert assets.find("logo.svg") is None
    with pytest.raises(KeyError):
        assets.url("missing.css")


def test_every_static_file_is_served():
    assert {"logo.svg", "style.css"} == {path.name for path in (FOLDER / "static").iterdir()}


def test_the_style_asks_nobody_for_anything():
    text = (FOLDER / "static" / "style.css").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?:", text)
