import re
import shutil

import pytest

from nbgate.rewrite.html import banner_script
from nbgate.web.answers import FOLDER
from nbgate.web.assets import PREFIX, Assets

BANNER = banner_script("/_nbgate")

FILES = {"banner.js", "diagnose.js", "logo.svg", "signed-in.js", "style.css"}


def test_a_name_changes_with_the_content(tmp_path):
    shutil.copytree(FOLDER / "static", tmp_path, dirs_exist_ok=True)
    names = []
    for content in ("a{}", "b{}"):
        (tmp_path / "style.css").write_text(content)
        names.append(Assets(tmp_path).url("style.css"))
    assert names[0] != names[1]
    assert all(re.fullmatch(r"/_nbgate/static/style-[0-9a-f]{12}\.css", name) for name in names)


def test_what_was_named_is_found_and_nothing_else():
    assets = Assets(FOLDER / "static")
    found = assets.find(assets.url("logo.svg").rpartition("/")[2])
    assert ("image/svg+xml", (FOLDER / "static" / "logo.svg").read_bytes()) == (found.content_type, found.body)
    assert "immutable" in found.cache_control
    assert assets.find("logo.svg") is None
    with pytest.raises(KeyError):
        assets.url("missing.css")


def test_the_script_that_workers_add_to_pages_has_the_name_they_know():
    assets = Assets(FOLDER / "static")
    assert f'<script src="{PREFIX}banner.js" defer></script>'.encode() == BANNER
    found = assets.find("banner.js")
    assert ("text/javascript", "public, max-age=3600") == (found.content_type, found.cache_control)
    assert f"{PREFIX}banner.js" == assets.url("banner.js")


def test_every_static_file_is_served():
    assert FILES == {path.name for path in (FOLDER / "static").iterdir()}


@pytest.mark.parametrize("name", sorted(FILES - {"logo.svg"}))
def test_no_file_asks_another_origin_for_anything(name):
    text = (FOLDER / "static" / name).read_text(encoding="utf-8")
    assert not re.search(r"url\(['\"a-z]|@import|https?:", text)


@pytest.mark.parametrize("name", ["banner.js", "diagnose.js", "signed-in.js"])
def test_no_script_makes_code_or_markup_out_of_text(name):
    text = (FOLDER / "static" / name).read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|setAttribute\(.on", text
    )
