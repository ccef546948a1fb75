"""The certificate's files while the gateway runs: replaced, half replaced, spoiled, forgotten (F07, F08, F09)."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import trustme
from cryptography import x509

from nbgate.config.schema import Config
from nbgate.keeper import certificate_watch as subject
from nbgate.keeper.certificate_watch import CertificateWatch, files_of, signature_of
from nbgate.keeper.certificates import LIFETIME, load_certificate, own_path
from nbgate.keeper.pem import fingerprint
from nbgate.link.messages import Snapshot
from nbgate.testing.keeper_parts import Rig

AUTHORITY = trustme.CA()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Scene:
    """A keeper whose certificate lies in two files, and what was said of it."""

    def __init__(self, folder, *, keep_own=False, ends=None):
        self.folder = folder
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        self.taken = []
        self.loads = 0
        names = {} if keep_own else {"cert": str(self.cert), "key": str(self.key)}
        self.config = Config(data_dir=str(folder / "data"), **names)
        if not keep_own:
            self.write(AUTHORITY.issue_cert("gw.test", not_after=ends))
        material = load_certificate(self.config)
        self.rig = Rig(config=self.config, material=material)
        self.rig.clock.advance(datetime.now(UTC).timestamp() - self.rig.clock.unix())
        self.link = self.rig.attach()
        self.watch = CertificateWatch(
            self.rig.keeper, self.load, self.rig.audit, self.rig.clock, on_taken=self.taken.append
        )

    def load(self, config, now):
        self.loads += 1
        return load_certificate(config, now)

    def pair(self):
        return AUTHORITY.issue_cert("gw.test")

    def write(self, pair):
        self.write_key(pair)
        self.write_cert(pair)

    def write_cert(self, pair):
        self.replace(self.cert, b"".join(blob.bytes() for blob in pair.cert_chain_pems))

    def write_key(self, pair):
        self.replace(self.key, pair.private_key_pem.bytes())

    def replace(self, path, data):
        newer = path.with_suffix(".new")
        newer.touch(mode=0o600)
        newer.write_bytes(data)
        newer.replace(path)

    @property
    def served(self):
        """The fingerprint of what the workers have."""
        return fingerprint(self.link.of(Snapshot)[-1].tls)

    @property
    def snapshots(self):
        return len(self.link.of(Snapshot))

    async def records(self, action):
        await self.rig.audit.append_durable(self.config_event())
        return self.rig.sink.records(action)

    def config_event(self):
        return subject.CertificateExpiry(
            **self.rig.audit.stamp(), message="end of test", certificate_sha256="", certificate_ends=""
        )


@pytest.fixture
def log(monkeypatch):
    """What was logged: (level, event, fields)."""
    lines = []

    class Log:
        def __getattr__(self, level):
            return lambda event, **fields: lines.append((level, event, fields))

    monkeypatch.setattr(subject, "_log", Log())
    return lines


@pytest.fixture
async def scene(tmp_path, log):
    made = Scene(tmp_path)
    yield made
    await made.rig.close()


async def test_files_that_did_not_change_are_read_once(scene, log):
    for _ in range(3):
        await scene.watch.look()
    assert (1, 1, [], []) == (scene.loads, scene.snapshots, scene.taken, log)


async def test_a_new_pair_reaches_every_worker_without_a_reload(scene, log):
    await scene.watch.look()
    before = scene.served
    scene.write(scene.pair())
    await scene.watch.look()
    await scene.watch.look()
    assert before != scene.served
    assert ([scene.served], 2, 2) == (scene.taken, scene.snapshots, scene.rig.keeper.version)
    (record,) = await scene.records("certificate.change")
    assert ("the files changed: in force", scene.served.replace(":", "").lower()) == (
        record["message"],
        record["tls.server.hash.sha256"],
    )
    assert [("info", {"fingerprint": scene.served})] == [(level, fields) for level, _, fields in log]


async def test_a_key_that_does_not_fit_changes_nothing_and_is_told_once(scene, log):
    await scene.watch.look()
    before = scene.served
    scene.write_key(scene.pair())
    for _ in range(4):
        await scene.watch.look()
    assert (before, 1, []) == (scene.served, scene.snapshots, scene.taken)
    ((level, event, fields),) = log
    assert ("error", "certificate refused, the old one stays") == (level, event)
    assert f"the key in {scene.key} does not belong to the certificate in {scene.cert}" == fields["problem"]
    assert fields["hint"]
    (record,) = await scene.records("certificate.change")
    assert ("failure", f"the files changed: refused: {fields['problem']}") == (
        record["event.outcome"],
        record["message"],
    )
    assert before.replace(":", "").lower() == record["tls.server.hash.sha256"]


async def test_two_files_that_are_replaced_one_after_the_other_are_no_mistake(scene, log):
    await scene.watch.look()
    pair = scene.pair()
    scene.write_key(pair)
    await scene.watch.look()
    scene.write_cert(pair)
    await scene.watch.look()
    assert (2, ["info"]) == (scene.snapshots, [level for level, _, _ in log])


async def test_another_mistake_is_told_too_and_the_repair_is_taken(scene, log):
    await scene.watch.look()
    for spoil in (lambda: scene.write_key(scene.pair()), scene.key.unlink):
        spoil()
        await scene.watch.look()
        await scene.watch.look()
    assert ["does not belong to", "does not exist"] == [
        text for _, _, fields in log for text in ("does not belong to", "does not exist") if text in fields["problem"]
    ]
    scene.write(scene.pair())
    await scene.watch.look()
    assert (2, "info") == (scene.snapshots, log[-1][0])


async def test_the_old_key_that_comes_back_is_what_is_in_force(scene, log):
    await scene.watch.look()
    key = scene.key.read_bytes()
    scene.write_key(scene.pair())
    await scene.watch.look()
    scene.replace(scene.key, key)
    await scene.watch.look()
    assert (1, []) == (scene.snapshots, log)


async def test_a_key_that_was_opened_to_others_is_told(scene, log):
    await scene.watch.look()
    scene.key.chmod(0o644)
    await scene.watch.look()
    await scene.watch.look()
    assert ["error"] == [level for level, _, _ in log]
    assert "can be read or changed by other users" in log[0][2]["problem"]


async def test_a_pair_behind_links_that_are_replaced_is_taken(scene, tmp_path):
    """So do certbot and Kubernetes."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        scene.write(scene.pair())
        for path in (scene.cert, scene.key):
            shutil.copy2(path, tmp_path / name / path.name)
    (tmp_path / "live").symlink_to("one")
    for path in (scene.cert, scene.key):
        path.unlink()
        path.symlink_to(tmp_path / "live" / path.name)
    await scene.watch.look()
    one = scene.served
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "live")
    await scene.watch.look()
    assert (one, 3) == (scene.taken[0], scene.snapshots)
    assert one != scene.served


async def test_a_reload_that_came_first_is_not_undone(scene):
    await scene.watch.look()
    newer = Config(data_dir=scene.config.data_dir)

    def load(config, now):
        scene.rig.keeper._in_force = msgspec.structs.replace(scene.rig.keeper._in_force, config=newer)
        return load_certificate(config, now)

    scene.watch._load = load
    scene.write(scene.pair())
    await scene.watch.look()
    assert (1, []) == (scene.snapshots, scene.taken)


@pytest.mark.parametrize(("days", "said"), [(29, ["in 28 days"]), (400, []), (6, ["in 5 days"])])
async def test_who_starts_shortly_before_the_end_is_told_once(tmp_path, log, days, said):
    made = Scene(tmp_path, ends=datetime.now(UTC) + days * DAY)
    for _ in range(3):
        await made.watch.look()
    assert said == [text for _, event, _ in log for text in said if event.endswith(text)]
    assert len(said) == len(log)
    await made.rig.close()


async def test_the_end_is_told_at_30_14_7_and_1_days_and_hourly_after_it_and_it_goes_on_being_served(tmp_path, log):
    made = Scene(tmp_path, ends=datetime.now(UTC) + 40 * DAY)
    for _ in range(41 * 24):
        await made.watch.look()
        made.rig.clock.advance(HOUR.total_seconds())
    records = (await made.records("certificate.expiry"))[:-1]
    assert [30, 14, 7] == [int(record["message"].split()[-2]) + 1 for record in records[:3]]
    assert "hours" in records[3]["message"]
    assert 24 == len(records[4:])
    assert all(": browsers refuse it" in record["message"] for record in records[4:])
    assert len(records) == len(log)
    ends = x509.load_pem_x509_certificate(made.rig.keeper.material.chain_pem).not_valid_after_utc
    assert {f"{ends:%Y-%m-%dT%H:%M:%S.000000Z}"} == {record["tls.server.not_after"] for record in records}
    assert (1, 1) == (made.snapshots, made.loads)
    await made.rig.close()


async def test_our_own_is_renewed_while_the_gateway_runs(tmp_path, log):
    made = Scene(tmp_path, keep_own=True)
    await made.watch.look()
    before = made.served
    made.rig.clock.advance((LIFETIME - 31 * DAY).total_seconds())
    await made.watch.look()
    assert before == made.served
    made.rig.clock.advance(DAY.total_seconds())
    await made.watch.look()
    await made.watch.look()
    assert before != made.served
    assert (2, ["info"]) == (made.snapshots, [level for level, _, _ in log])
    await made.rig.close()


async def test_our_own_that_was_removed_is_made_anew(tmp_path, log):
    made = Scene(tmp_path, keep_own=True)
    await made.watch.look()
    own_path(tmp_path / "data").unlink()
    await made.watch.look()
    assert (2, True) == (made.snapshots, own_path(tmp_path / "data").exists())
    await made.rig.close()


@pytest.mark.parametrize(
    ("config", "files"),
    [
        (Config(data_dir="/d"), ("/d/tls/self-signed.pem",)),
        (Config(data_dir="/d", cert="/c.pem"), ("/c.pem",)),
        (Config(data_dir="/d", cert="/c.pem", key="/k.pem"), ("/c.pem", "/k.pem")),
    ],
)
def test_which_files_are_watched(config, files):
    assert files == tuple(map(str, files_of(config)))


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"longer"),
        lambda path: os.utime(path, ns=(1, 1)),
        lambda path: path.chmod(0o400),
        lambda path: path.unlink(),
        lambda path: (path.with_suffix(".new").write_bytes(b"same"), path.with_suffix(".new").replace(path)),
    ],
)
def test_every_change_of_a_file_is_seen(tmp_path, change):
    path = tmp_path / "a.pem"
    path.write_bytes(b"same")
    before = signature_of((path,))
    change(path)
    assert before != signature_of((path,))
