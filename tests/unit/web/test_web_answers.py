import jinja2
import pytest

from nbgate.web.answers import FOLDER, Pages, json_answer, json_error, see_other
from nbgate.web.assets import Assets


@pytest.fixture
def pages():
    return Pages(Assets(FOLDER / "static"))


def test_what_is_filled_in_is_escaped(pages):
    values = {"heading": "<b>", "text": "'\"&", "request_id": "<i>"}
    text = pages.answer("error.html", 404, **values).text
    assert "<b>" not in text
    assert "<i>" not in text
    assert "&lt;b&gt;" in text
    assert "&#39;&#34;&amp;" in text


def test_a_value_that_is_missing_is_an_error_of_ours(pages):
    with pytest.raises(jinja2.UndefinedError):
        pages.answer("error.html")


def test_no_answer_may_be_kept():
    for answer in (json_answer({}), json_error(400, "no"), see_other("/")):
        assert "no-store" == answer.headers["Cache-Control"]
        assert "nosniff" == answer.headers["X-Content-Type-Options"]


def test_a_failure_says_its_hint_when_there_is_one():
    assert b'{"error":"no"}' == json_error(400, "no").body
    assert b'{"error":"no","hint":"try"}' == json_error(400, "no", "try").body


def test_a_redirect_names_a_path():
    assert (303, "/lab?a=b") == (see_other("/lab?a=b").status, see_other("/lab?a=b").headers["Location"])
