"""Completion as shells do it."""

import shutil
import subprocess

import pytest

SHELLS = ("bash", "zsh", "fish")
COMPLETE = """
source "$1"
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
COMP_LINE="${{COMP_WORDS[*]}}"
COMP_POINT=${{#COMP_LINE}}
function=$(complete -p nbgate | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function nbgate "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}" 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(run, folder, tmp_path):
    def write(shell: str):
        code, out, err = run("completion", shell)
        assert (0, "") == (code, err)
        path = tmp_path / f"nbgate.{shell}"
        path.write_text(out)
        return path

    return write


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_static_and_a_shell_understands_it(script, shell):
    path = script(shell)
    text = path.read_text()

    assert "python" not in text
    assert "__complete" not in text
    assert [] == [word for word in ("launch", "config", "explain", "locate", "upstream-token-file") if word not in text]
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(path)], check=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("nbgate st", {"status"}),
        ("nbgate config ''", {"default", "check", "show", "explain", "edit", "schema"}),
        ("nbgate user pas", {"passwd"}),
        ("nbgate --upstream-to", {"--upstream-token-file"}),
        ("nbgate --log-level ''", {"debug", "info", "warning", "error"}),
        ("nbgate status --format ''", {"table", "json"}),
        ("nbgate config check --pro", {"--profile"}),
    ],
)
def test_bash_completes_commands_flags_and_values(script, words, expected):
    done = subprocess.run(
        ["bash", "-c", COMPLETE.format(words=words), "bash", str(script("bash"))], capture_output=True, text=True
    )

    assert (expected, "") == (
        {word.strip() for word in done.stdout.split()} - {"--help", "-h", "--version"},
        done.stderr,
    )
