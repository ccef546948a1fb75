"""Which words are added to which notebook server, and what is said of one that nobody knows."""

import pytest

from nbgate.errors import ExitCode, StartError
from nbgate.spawners.commands import Place, Reach, plan_server

PLACE = Place(
    sock="/run/user/7/nbgate-x/server.sock", port=40321, token="5ecret", token_file="/run/user/7/nbgate-x/token"
)
SOCK, PORT = Reach.SOCKET, Reach.PORT
JUPYTER = "--sock=/run/user/7/nbgate-x/server.sock --port=8888 --certfile= --keyfile= --no-browser"

PLANNED = [
    ("", "jupyter lab", SOCK, True, f"jupyter lab {JUPYTER}"),
    ("jupyter lab", "jupyter lab", SOCK, True, f"jupyter lab {JUPYTER}"),
    ("jupyter-lab", "jupyter lab", SOCK, True, f"jupyter-lab {JUPYTER}"),
    ("jupyter lab --allow-root work", "jupyter lab", SOCK, True, f"jupyter lab --allow-root work {JUPYTER}"),
    ("/opt/env/bin/jupyter notebook", "jupyter notebook", SOCK, True, f"/opt/env/bin/jupyter notebook {JUPYTER}"),
    ("jupyter server", "jupyter server", SOCK, True, f"jupyter server {JUPYTER}"),
    ("jupyter-nbclassic", "jupyter nbclassic", SOCK, True, f"jupyter-nbclassic {JUPYTER}"),
    ("voila --port={port}", "voila", PORT, False, "voila --port=40321"),
    ("uv run jupyter lab --sock={sock}", "uv", SOCK, False, f"uv run jupyter lab --sock={PLACE.sock}"),
    ("jupyter lab --port={port}", "jupyter lab", PORT, False, "jupyter lab --port=40321"),
    ("serve {sock} {token}", "serve", SOCK, False, f"serve {PLACE.sock} 5ecret"),
    ("serve -p{port} -t {token_file}", "serve", PORT, False, f"serve -p40321 -t {PLACE.token_file}"),
    ("serve {port}:{port} {other} {}", "serve", PORT, False, "serve 40321:40321 {other} {}"),
]

REFUSED = [
    ("rstudio --www-address here", "rstudio is told where to listen", "{sock} or {port}"),
    ("jupyter", "jupyter is told where to listen", "{port}"),
    ("jupyter --version", "jupyter is told where to listen", "{port}"),
    ("jupyter console", "jupyter console is told", "{port}"),
    ("voila a.ipynb", "voila cannot be guarded by itself", "jupyter server --ServerApp.default_url=/voila/render/"),
    ("/opt/bin/marimo edit", "marimo cannot be guarded by itself", "nbgate launch starts JupyterLab"),
    ("serve --token {token}", "serve is told where to listen", "{sock}"),
    ("serve {sock} {port}", "{sock} and {port} in one command", "{sock} where it can"),
    ("serve {port} {token}", "readable for every user", "{token_file}"),
]


@pytest.mark.parametrize(("words", "name", "reach", "file", "started"), PLANNED)
def test_a_known_server_gets_its_words_and_another_its_placeholders(words, name, reach, file, started):
    server = plan_server(words.split())
    assert (name, reach, file) == (server.name, server.reach, server.writes_runtime_file)
    assert tuple(started.split()) == PLACE.fill(server.words)


@pytest.mark.parametrize(("words", "text", "hint"), REFUSED)
def test_what_cannot_be_guarded_is_a_usage_error_with_a_hint(words, text, hint):
    with pytest.raises(StartError) as refused:
        plan_server(words.split())
    assert ExitCode.USAGE == refused.value.exit_code
    assert text in refused.value.public
    assert hint in refused.value.hint


@pytest.mark.parametrize("words", [words for words, *_ in PLANNED if "{token}" not in words])
def test_the_token_is_in_no_word(words):
    assert PLACE.token not in " ".join(PLACE.fill(plan_server(words.split()).words))


def test_a_place_does_not_show_its_token():
    assert "5ecret" not in repr(PLACE)
