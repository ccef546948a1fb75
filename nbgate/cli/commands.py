"""The table of commands: what each is called, what it does, and where its function is.

Data only; `nbgate.cli.parser` registers it, `nbgate.cli.help` shows it. No command's module is imported for it.
"""

from collections.abc import Sequence
from typing import NamedTuple

_LAUNCH = """Start a notebook server, and the gateway in front of it.

Without a command it is jupyter lab. The server listens on a private socket with a token that nobody sees, and ends with
the gateway. In the words of any other server, write {sock} or {port} where its address stands.

  nbgate launch
  nbgate launch -- jupyter lab --notebook-dir ~/work
  nbgate launch --ip '*' -- jupyter notebook
"""
_RELOAD = """Test the configuration and put it into force.

Configuration, certificate and rules are read again. Open connections stay; a mistake changes nothing and is told."""
_ROUTES = """Show which notebook servers are mounted where, mount others and take them out, without a restart.

What is mounted here stays over restarts, and comes after the configuration: a place that it names stays its own."""
_ROUTES_ADD = """Mount a notebook server, or change where an added route leads.

The first word says where: /lab1/ below the gateway's address, lab1.example.org/ at a name of its own, and
{user}.example.org/ at a name for each user. The second says where the server is: host:port, http(s)://host:port/base/
or unix:/path. Its token is found by itself where its runtime file can be read.

  nbgate routes add /lab1/ localhost:8889
  nbgate routes add lab2.example.org/ localhost:8890 --allow ada,bob --token-file ~/lab2.token
  nbgate routes add '{user}.example.org/' 'unix:/run/jupyter/{user}.sock'"""
_ROUTES_REMOVE = """Take out a route that was added.

The server goes on; what is open through this route ends. Routes of the configuration are taken out there.

  nbgate routes remove /lab1/"""
_USER_ADD = """Make an account.

The password is asked for, or read from standard input; it is never an argument, which everybody on the machine could
see."""
_USER_ROLE = """Give a person another role; ends their sessions and tokens.

An owner works with notebooks, and has the page on which accounts and sessions are managed. An editor works with
notebooks. A viewer reads them and changes nothing. An auditor has no notebooks."""
_USER_IMPORT = """Make an account of the password that a notebook server of yours had.

Reads jupyter_server_config.json and jupyter_notebook_config.json in the folders where Jupyter looks for them. Only the
hash is read; the password stays what it was.

  nbgate user import-jupyter ada
  nbgate user import-jupyter ada --from ~/.jupyter/jupyter_server_config.json"""
_TOTP_ENROLL = """Set up codes from an app on a phone as a person's second factor.

Shows a QR code and the same secret in letters, asks for a code of the app, and then shows ten recovery codes, once.
What was set up before is replaced. Ends the person's sessions."""
_FOR_SCRIPTS = """Make a token, with which a script or an editor comes in as a person. It is shown once.

  nbgate token add ada --name laptop
  nbgate token add ada --name backup --scope read --route /ada/ --days 30"""
_LOGIN_LINK = """Make a link that signs a person in, once, within ten minutes.

For who has lost a password or a phone, or is kept waiting because strangers guess at the account. Whoever has the link
is that person: hand it over as you would a key."""
_UNLOCK = """Forget the failed logins to an account: nobody has to wait for it any more.

Only the waiting ends. A disabled account stays disabled; wrong codes behind a right password are forgotten too."""
_LOCKDOWN = """End all sessions and tokens, and let nobody sign in until it is lifted.

Kernels go on; their notebooks are out of reach meanwhile. It lasts over restarts.

  nbgate lockdown
  nbgate lockdown --lift"""
_BENCH_KDF = """Measure what a login costs on this machine, and say what to set.

Checking a password should take 150 to 500 ms: long enough for who steals the hashes, short enough for who signs in."""
_CONFIG = """Check, show, explain and edit the configuration.

A flag wins over a variable of the environment, that over the profile, that over the configuration file, that over the
default."""
_CONFIG_DEFAULT = """Write a configuration file with every option, its documentation and its default.

  nbgate config default > nbgate.toml"""
_CONFIG_CHECK = """Say everything that is wrong with the configuration, each with its place and what to do.

Flags, variables and files are judged; no file they name is opened and no address tried: the gateway does that when it
starts, and at nbgate reload."""
_CONFIG_EXPLAIN = """Say what an option is, what values it has, and how it is set.

  nbgate config explain port
  nbgate config explain limits.head_bytes"""
_CONFIG_EDIT = """Edit the configuration file; one with mistakes is not saved.

Opens $VISUAL or $EDITOR on a copy, which replaces the file when nothing is wrong with it."""
_CONFIG_SCHEMA = """Write the JSON Schema of the configuration file, for editors that complete and check TOML.

  nbgate config schema > nbgate.schema.json"""
_PROFILE = """Make, list and find profiles, to run several gateways side by side.

A profile is one more configuration file, and a data folder of its own: accounts, sessions and audit are its own too."""
_PROFILE_CREATE = """Make a profile.

  nbgate profile create lab
  nbgate --profile lab --port 9443"""
_COMPLETION = """Write a script that completes commands and flags as you type.

  nbgate completion bash > ~/.local/share/bash-completion/completions/nbgate
  nbgate completion zsh > ~/.zfunc/_nbgate     with fpath+=~/.zfunc before compinit
  nbgate completion fish > ~/.config/fish/completions/nbgate.fish"""


class Command(NamedTuple):
    """A command.

    Attributes:
        words: What calls it.
        text: What it does: a line, and after an empty one what else there is to know; indented lines are examples.
        function: Its module and function; "" where the words of other commands follow.
        group: What it stands under on the help page.
    """

    words: str
    text: str
    function: str
    group: str = "Commands"


COMMANDS = (
    Command("launch", _LAUNCH, "launch:launch_server", "Serving"),
    Command("status", "Say what runs, who is confined, how upstreams and audit are.", "status:show_status", "Serving"),
    Command("reload", _RELOAD, "reload:reload_gateway", "Serving"),
    Command("routes", _ROUTES, "", "Serving"),
    Command("routes list", "Say which servers are mounted where, and how each is.", "routes:list_routes"),
    Command("routes add", _ROUTES_ADD, "routes:add_route"),
    Command("routes remove", _ROUTES_REMOVE, "routes:remove_route"),
    Command("user", "Add, change and remove the accounts of this gateway.", "", "Accounts"),
    Command("user add", _USER_ADD, "user:add_user"),
    Command("user import-jupyter", _USER_IMPORT, "import_jupyter:import_user"),
    Command("user list", "Say who has an account, which role, and which factors.", "user:list_user"),
    Command("user role", _USER_ROLE, "user:role_user"),
    Command("user passwd", "Set a new password; ends the person's sessions, not their tokens.", "user:passwd_user"),
    Command("user disable", "Let a person in no more; ends their sessions.", "user:disable_user"),
    Command("user enable", "Let a disabled person in again.", "user:enable_user"),
    Command("user remove", "Remove an account; ends the person's sessions.", "user:remove_user"),
    Command("totp", "Set up and remove second factors.", "", "Accounts"),
    Command("totp enroll", _TOTP_ENROLL, "totp:enroll_totp"),
    Command("totp remove", "Take a person's second factor away; ends their sessions.", "totp:remove_totp"),
    Command("totp codes", "Make ten new recovery codes; those there were are good no more.", "totp:renew_codes"),
    Command("login-link", _LOGIN_LINK, "access:make_link", "Accounts"),
    Command("unlock", _UNLOCK, "access:unlock_user", "Accounts"),
    Command("token", "Make, list and revoke tokens for scripts and editors.", "", "Sessions"),
    Command("token add", _FOR_SCRIPTS, "token:add_token"),
    Command("token list", "Say which tokens there are.", "token:list_tokens"),
    Command("token revoke", "End a token.", "token:revoke_token"),
    Command("sessions", "Show and end sessions.", "", "Sessions"),
    Command("sessions list", "Say who is signed in, from where, and since when.", "sessions:list_sessions"),
    Command("sessions revoke", "End a session, or all of a person's, with everything open in it.", "sessions:revoke"),
    Command("lockdown", _LOCKDOWN, "access:lock_down", "Sessions"),
    Command("penalties", "Show and lift what keeps strangers out.", "", "Sessions"),
    Command("penalties list", "Say which netblocks are refused, and for how long.", "access:list_penalties"),
    Command("penalties clear", "Let a netblock in again, or all; forget its failed logins.", "access:clear_penalties"),
    Command("bench-kdf", _BENCH_KDF, "bench_kdf:bench_kdf", "Configuration"),
    Command("config", _CONFIG, "", "Configuration"),
    Command("config default", _CONFIG_DEFAULT, "config:print_default"),
    Command("config check", _CONFIG_CHECK, "config:check_config"),
    Command("config show", "Show every value in force, and where it comes from.", "config:show_config"),
    Command("config explain", _CONFIG_EXPLAIN, "config:explain_option"),
    Command("config edit", _CONFIG_EDIT, "config:edit_config"),
    Command("config schema", _CONFIG_SCHEMA, "config:print_schema"),
    Command("profile", _PROFILE, "", "Configuration"),
    Command("profile create", _PROFILE_CREATE, "profile:create_profile"),
    Command("profile list", "Say which profiles there are.", "profile:list_profiles"),
    Command("profile locate", "Say where the file of a profile is.", "profile:locate_profile"),
    Command("completion", _COMPLETION, "", "Shell"),
    Command("completion bash", "Write the script for bash.", "completion:print_bash"),
    Command("completion zsh", "Write the script for zsh.", "completion:print_zsh"),
    Command("completion fish", "Write the script for fish.", "completion:print_fish"),
)


def commands_below(words: str) -> list[Command]:
    """Return the commands that one word more leads to, in the order of the table."""
    return [command for command in COMMANDS if command.words.rpartition(" ")[0] == words]


def command_of(words: Sequence[str]) -> Command | None:
    """Return the command that `words` begin with, the longest there is; None when they begin with none."""
    known = {command.words: command for command in COMMANDS}
    return next((known[name] for length in (2, 1) if (name := " ".join(words[:length])) in known), None)
