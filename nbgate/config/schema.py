"""Every option of nbgate, typed, with its default and its one-line documentation.

This room says what an option is; it reads no file and decides nothing about requests.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Sessions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a login lasts."""

    idle_seconds: Annotated[float, Meta(gt=0, description="A session without activity ends after this time.")] = 43200.0
    absolute_seconds: Annotated[float, Meta(gt=0, description="A session ends after this time in any case.")] = 604800.0
    rotate_seconds: Annotated[
        float, Meta(gt=0, description="A session's cookie is replaced after this time, when a page is opened.")
    ] = 86400.0
    rotate_grace_seconds: Annotated[
        float, Meta(gt=0, description="How long the former cookie is still good after the first use of the new one.")
    ] = 60.0
    per_user: Annotated[
        int, Meta(ge=1, le=1000, description="Sessions of one user; one more ends the one idle for longest.")
    ] = 10


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a password costs to check, and how many are checked at once."""

    memory_kib: Annotated[int, Meta(ge=8192, le=1048576, description="argon2id memory for new hashes, KiB.")] = 65536
    time_cost: Annotated[int, Meta(ge=1, le=64, description="argon2id passes for new hashes.")] = 3
    hashes_at_once: Annotated[int, Meta(ge=1, le=16, description="Passwords checked at the same time.")] = 2
    queue: Annotated[int, Meta(ge=0, le=1024, description="Logins that may wait for their turn; more get 503.")] = 16
    queue_seconds: Annotated[float, Meta(gt=0, description="How long a login waits for its turn.")] = 2.0


class Throttle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many logins may be tried: so many at once, and one more after so many seconds."""

    address_burst: Annotated[int, Meta(ge=1, description="Logins of one netblock (an IPv4 address, a /64).")] = 10
    address_seconds: Annotated[float, Meta(gt=0, description="Time until it may try once more.")] = 30.0
    network_burst: Annotated[int, Meta(ge=1, description="Logins of one network (a /24 of IPv4, a /56 of IPv6).")] = 30
    network_seconds: Annotated[float, Meta(gt=0, description="Time until it may try once more.")] = 10.0
    account_burst: Annotated[int, Meta(ge=1, description="Logins to one account from browsers unknown to it.")] = 10
    account_seconds: Annotated[
        float, Meta(gt=0, description="Time until there is another; 5 times that after 50 failures, 15 after 500.")
    ] = 60.0
    device_burst: Annotated[int, Meta(ge=1, description="Logins of a browser that has logged in before.")] = 10
    device_seconds: Annotated[float, Meta(gt=0, description="Time until it may try once more.")] = 60.0
    factor_burst: Annotated[int, Meta(ge=1, description="Wrong codes behind a right password.")] = 5
    factor_seconds: Annotated[float, Meta(gt=0, description="Time until there may be another.")] = 7200.0
    factor_device_seconds: Annotated[
        float, Meta(gt=0, description="The same for a browser that has logged in before.")
    ] = 300.0
    global_burst: Annotated[int, Meta(ge=1, description="Logins of all browsers unknown to their account.")] = 20
    global_per_second: Annotated[float, Meta(gt=0, description="How many more of them there are a second.")] = 5.0


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes and deadlines of connections; each one has its own reason in the audit."""

    connections: Annotated[int, Meta(ge=16, description="Connections a worker holds at once.")] = 8192
    stranger_connections: Annotated[
        int, Meta(ge=1, description="Connections a worker holds at once of clients without a live session.")
    ] = 200
    netblock_connections: Annotated[
        int, Meta(ge=1, description="The same, of one netblock (an IPv4 address, a /64 of IPv6).")
    ] = 64
    netblock_requests_per_second: Annotated[
        float, Meta(ge=0, description="Requests of one netblock without a live session, on average; 0: no limit.")
    ] = 100.0
    netblock_request_burst: Annotated[int, Meta(ge=1, description="How many of them may come at once.")] = 400
    netblock_refusals_per_minute: Annotated[
        int, Meta(ge=1, description="Its refusals and requests of a minute that are recorded one by one.")
    ] = 100
    session_requests: Annotated[int, Meta(ge=1, description="Requests of one session at once.")] = 200
    session_websockets: Annotated[int, Meta(ge=1, description="Websockets of one session at once.")] = 64
    session_requests_per_second: Annotated[
        float, Meta(ge=0, description="Requests of one session, on average; 0: no limit.")
    ] = 0.0
    session_request_burst: Annotated[int, Meta(ge=1, description="How many of them may come at once.")] = 400
    upstream_requests: Annotated[
        int, Meta(ge=1, description="Requests that wait for one upstream's answer at once.")
    ] = 1024
    overload_lag_seconds: Annotated[
        float,
        Meta(gt=0, description="A worker whose loop is later than this refuses strangers; ten times that: everybody."),
    ] = 0.1
    head_bytes: Annotated[int, Meta(ge=1024, description="Longest request head.")] = 32768
    line_bytes: Annotated[int, Meta(ge=256, description="Longest request line and longest header line.")] = 8190
    headers: Annotated[int, Meta(ge=8, description="Most header lines of a request.")] = 64
    response_head_bytes: Annotated[int, Meta(ge=1024, description="Longest response head of an upstream.")] = 65536
    buffer_bytes: Annotated[int, Meta(ge=16384, description="Bytes held per direction for a slow reader.")] = 262144
    own_body_bytes: Annotated[int, Meta(ge=1024, le=8192, description="Longest body sent to nbgate's own pages.")] = (
        8192
    )
    websocket_message_bytes: Annotated[
        int, Meta(ge=1024, description="Longest websocket message from client to server.")
    ] = 16777216
    websocket_fragments: Annotated[
        int, Meta(ge=1, description="Most frames of one websocket message from client to server.")
    ] = 4096
    websocket_messages_per_second: Annotated[
        float, Meta(ge=0, description="Websocket frames with data from one client, on average; 0: no limit.")
    ] = 0.0
    websocket_message_burst: Annotated[int, Meta(ge=1, description="How many of them may come at once.")] = 2000
    websocket_controls_per_second: Annotated[
        float, Meta(gt=0, description="Pings and pongs from one client on one websocket, on average.")
    ] = 10.0
    websocket_control_burst: Annotated[int, Meta(ge=1, description="How many of them may come at once.")] = 100
    websocket_ping_seconds: Annotated[
        float, Meta(ge=0, description="An end of a websocket that was silent for this time is pinged; 0: never.")
    ] = 30.0
    websocket_silence_seconds: Annotated[
        float, Meta(gt=0, description="How long after such a ping an end may stay silent before it counts as gone.")
    ] = 60.0
    tls_handshake_seconds: Annotated[float, Meta(gt=0, description="Longest TLS handshake.")] = 10.0
    head_seconds: Annotated[float, Meta(gt=0, description="Longest wait for a complete request head.")] = 10.0
    body_idle_seconds: Annotated[float, Meta(gt=0, description="Longest pause in a request body.")] = 30.0
    body_grace_seconds: Annotated[
        float, Meta(gt=0, description="How long a request body may come slower than body_bytes_per_second.")
    ] = 10.0
    body_bytes_per_second: Annotated[
        int, Meta(ge=0, description="Slowest rate of a request body after that; 0: no limit.")
    ] = 1024
    write_stall_seconds: Annotated[float, Meta(gt=0, description="Longest time in which a client reads nothing.")] = (
        30.0
    )
    keepalive_seconds: Annotated[float, Meta(gt=0, description="How long an idle connection is kept.")] = 75.0
    upstream_connect_seconds: Annotated[
        float, Meta(gt=0, description="Longest wait for a connection to an upstream.")
    ] = 5.0
    upstream_answer_seconds: Annotated[
        float, Meta(gt=0, description="Longest wait for the beginning of an upstream's answer.")
    ] = 60.0
    upstream_body_seconds: Annotated[float, Meta(gt=0, description="Longest pause in an upstream's answer.")] = 300.0
    upstream_idle_seconds: Annotated[float, Meta(gt=0, description="How long an idle upstream connection is kept.")] = (
        30.0
    )
    drain_seconds: Annotated[float, Meta(gt=0, description="How long running requests may take after SIGTERM.")] = 30.0
    drain_jitter_seconds: Annotated[
        float, Meta(ge=0, description="Websockets are closed at random times within this, after SIGTERM.")
    ] = 5.0


class Penalties(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long netblocks that misbehave are refused; whoever has a live session is not."""

    threshold_seconds: Annotated[
        float, Meta(gt=0, description="A netblock is refused once its penalties add up to this.")
    ] = 15.0
    longest_seconds: Annotated[float, Meta(gt=0, description="Penalties of one netblock add up to no more.")] = 600.0
    login_seconds: Annotated[
        float, Meta(ge=0, description="What a login costs that is tried although it must wait; 0: nothing.")
    ] = 5.0
    netblocks: Annotated[
        int, Meta(ge=16, le=131072, description="Netblocks remembered; past it the one nearest its end is dropped.")
    ] = 65536


class Probe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often upstreams and the files of the certificate are looked at."""

    interval_seconds: Annotated[float, Meta(gt=0, description="Time between two looks at a good upstream.")] = 60.0
    retry_seconds: Annotated[
        float, Meta(gt=0, description="Time between two looks at an upstream that is not good.")
    ] = 1.0
    certificate_seconds: Annotated[
        float, Meta(gt=0, description="Time between two looks at the files of cert and key.")
    ] = 60.0


class RouteOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One notebook server and where it is mounted."""

    at: Annotated[str, Meta(description="Where: /prefix/, host/ or host/prefix/; {user}.example.org/ for each user.")]
    upstream: Annotated[str, Meta(description="Its address: host:port, http(s)://host:port/base/ or unix:/path.")]
    base_url: Annotated[str, Meta(description="The base URL it was told; empty: found out.")] = ""
    token_file: Annotated[str, Meta(description="File (0600) with its token; empty: the one in its runtime file.")] = ""
    password_file: Annotated[str, Meta(description="File (0600) with its password.")] = ""
    ca_file: Annotated[str, Meta(description="PEM file with the authority that vouches for it; for https.")] = ""
    pin: Annotated[str, Meta(description="SHA-256 of its certificate, in place of an authority; for https.")] = ""
    allow: Annotated[tuple[str, ...], Meta(description="Users who may use it; none: all.")] = ()
    allow_open: Annotated[
        bool | None, Meta(description="Accept it although it asks for no credential; not said: as allow_open_upstream.")
    ] = None
    disabled_rules: Annotated[tuple[str, ...], Meta(description="Rules that do not apply there, by their id.")] = ()
    health: Annotated[
        str, Meta(description="Path below its base URL that is asked to see whether it lives; empty: the usual one.")
    ] = ""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration."""

    upstream: Annotated[
        tuple[str, ...],
        Meta(
            description="Notebook servers: host:port, http(s)://host:port/base/ or unix:/path, each with /prefix/= or "
            "host/= before it where it is to be elsewhere than at its own base URL; none or auto: what runs."
        ),
    ] = ()
    route: tuple[RouteOptions, ...] = ()
    base_url: Annotated[
        str, Meta(description="Path below which the gateway and all servers are, for a proxy that hands on one path.")
    ] = "/"
    cert: Annotated[
        str, Meta(description="PEM file with the certificate chain, and the key unless key is set; empty: one is made.")
    ] = ""
    key: Annotated[str, Meta(description="PEM file with the private key; empty: it stands in the file of cert.")] = ""
    tls_profile: Annotated[
        Literal["intermediate", "modern"], Meta(description="TLS versions and ciphers: certs/profiles.")
    ] = "intermediate"
    hsts: Annotated[
        Literal["auto"] | bool,
        Meta(description="Tell browsers to use HTTPS only; auto: where a public authority issued the certificate."),
    ] = "auto"
    hosts: Annotated[
        tuple[str, ...], Meta(description="Public names of this gateway; requests for others are refused. None: any.")
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Networks of proxies in front of nbgate whose X-Forwarded-For is believed; none by default."),
    ] = ()
    proxy_protocol: Annotated[
        bool, Meta(description="Every connection begins with a PROXY header, version 1 or 2, of a trusted proxy.")
    ] = False
    ip: Annotated[str, Meta(description="Address to listen on; * for all.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")] = 8443
    http_port: Annotated[
        int, Meta(ge=0, le=65535, description="Port on which plain HTTP is sent on to HTTPS; 0: none.")
    ] = 0
    port_retries: Annotated[
        int,
        Meta(ge=0, le=1000, description="Other ports tried where the default one is occupied; only on loopback."),
    ] = 50
    data_dir: Annotated[
        str,
        Meta(
            description="Folder for everything nbgate writes; empty: ~/.local/state/nbgate, for root /var/lib/nbgate."
        ),
    ] = ""
    workers: Annotated[
        Annotated[int, Meta(ge=1, le=256)] | Literal["auto"],
        Meta(description="Worker processes, or auto for one per core."),
    ] = 1
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level of messages on stderr.")
    ] = "info"
    allow_open_upstream: Annotated[
        bool, Meta(description="Accept an upstream that asks for no credential of its own.")
    ] = False
    upstream_token_file: Annotated[
        str, Meta(description="File (0600) with the notebook server's token; empty: the one in its runtime file.")
    ] = ""
    upstream_password_file: Annotated[str, Meta(description="File (0600) with the notebook server's password.")] = ""
    upstream_user: Annotated[
        str,
        Meta(description="User whose processes may be the upstream, * for any; empty: the one nbgate runs as."),
    ] = ""
    server_proxy_ports: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=65535)], ...],
        Meta(description="Ports that notebook servers may open to their users as /proxy/PORT/; none by default."),
    ] = ()
    disabled_rules: Annotated[
        tuple[str, ...], Meta(description="Rules of the shipped packs that do not apply, by their id.")
    ] = ()
    allow: Annotated[
        tuple[str, ...],
        Meta(description="Who may use a notebook server: its prefix, =, user names; one not named: all users."),
    ] = ()
    allow_remote_upstream: Annotated[
        bool, Meta(description="Accept upstreams on other machines: what passes between is theirs to read without TLS.")
    ] = False
    upstream_ca_file: Annotated[
        str, Meta(description="PEM file with the authority that vouches for upstreams; for https.")
    ] = ""
    upstream_pin: Annotated[
        str, Meta(description="SHA-256 of an upstream's certificate, in place of an authority; for https.")
    ] = ""
    shared_origin: Annotated[
        bool,
        Meta(
            description="Servers that different people may use may share a host, where pages of one act at the others."
        ),
    ] = False
    require_second_factor: Annotated[
        tuple[Literal["all", "owner", "editor", "viewer", "auditor"], ...],
        Meta(description="Roles whose users need a second factor, or all; who has none can only set one up."),
    ] = ()
    totp_window: Annotated[
        tuple[Annotated[int, Meta(ge=-2, le=1)], ...],
        Meta(description="Which TOTP codes are good: 0 is the present one, -1 the one before it."),
    ] = (-1, 0)
    contact: Annotated[
        str, Meta(max_length=200, description="Whom people ask who may not do something; empty: the owners' names.")
    ] = ""
    banner: Annotated[
        bool,
        Meta(description="Add our script to notebook pages: it says when websockets are blocked or one is signed out."),
    ] = True
    browser: Annotated[
        Literal["auto"] | bool,
        Meta(description="Open the browser at start; auto: on a terminal of a graphical session of this machine."),
    ] = "auto"
    sessions: Sessions = Sessions()
    login: Login = Login()
    throttle: Throttle = Throttle()
    limits: Limits = Limits()
    penalties: Penalties = Penalties()
    probe: Probe = Probe()
