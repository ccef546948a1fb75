import fcntl
import multiprocessing
import os
import stat

import pytest

from nbgate.errors import ExitCode, StartError
from nbgate.keeper import folder as subject
from nbgate.keeper.folder import held, load_key, prepare_folder, write_control_key


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data"
    prepare_folder(path)
    return path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_for_this_user_alone(folder):
    assert (0o700, 0o700) == (mode(folder), mode(folder / "keys"))
    prepare_folder(folder)


def test_a_folder_that_is_open_to_others_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(StartError) as caught:
        prepare_folder(tmp_path)
    assert ExitCode.PERMISSION == caught.value.exit_code


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError) as caught:
        prepare_folder(tmp_path / "file" / "data")
    assert (ExitCode.CANNOT_CREATE, True) == (caught.value.exit_code, "not a directory" in caught.value.public)


def test_only_one_holds_the_folder(folder):
    with held(folder), pytest.raises(StartError) as caught, held(folder, wait_seconds=0.0):
        pass
    assert ExitCode.TRY_AGAIN == caught.value.exit_code
    assert f"another nbgate (process {os.getpid()})" in caught.value.public
    with held(folder):
        pass


@pytest.mark.parametrize("spoil", [lambda path: path.symlink_to(path.parent / "keys"), lambda path: path.touch()])
def test_a_lock_that_is_not_ours_is_refused(folder, spoil):
    spoil(folder / "lock")
    (folder / "lock").chmod(0o755)
    with pytest.raises(StartError) as raised, held(folder):
        raise AssertionError("held")
    assert ExitCode.PERMISSION is raised.value.exit_code


def test_who_holds_it_for_a_moment_is_waited_for(folder, monkeypatch):
    first = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(first, fcntl.LOCK_EX)
    monkeypatch.setattr(subject.time, "sleep", lambda seconds: fcntl.flock(first, fcntl.LOCK_UN))
    with held(folder):
        pass
    os.close(first)


def hold_in_child(path, answers):
    with held(path) as replaces:
        answers.put(replaces)


def test_a_keeper_knows_whether_it_replaces_one_of_the_same_supervisor(folder):
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    for expected in (False, True):
        child = context.Process(target=hold_in_child, args=(folder, answers))
        child.start()
        child.join()
        assert expected is answers.get()
    with held(folder) as replaces:  # another parent: a new gateway
        assert replaces is False


def test_a_key_is_made_once_and_kept(folder):
    key = load_key(folder, "forms", os.urandom)
    assert (32, key) == (len(key), load_key(folder, "forms", os.urandom))
    assert 0o600 == mode(folder / "keys" / "forms.key")
    assert key != load_key(folder, "cookies", os.urandom)


@pytest.mark.parametrize("content", ["", "00", "zz" * 32, "00" * 33])
def test_a_damaged_key_is_refused(folder, content):
    path = folder / "keys" / "forms.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(StartError) as caught:
        load_key(folder, "forms", os.urandom)
    assert ExitCode.CONFIGURATION == caught.value.exit_code
    assert "pages that are open now must be loaded again" in caught.value.hint


def test_a_key_that_others_may_read_is_refused(folder):
    load_key(folder, "forms", os.urandom)
    (folder / "keys" / "forms.key").chmod(0o644)
    with pytest.raises(StartError, match="cannot be read"):
        load_key(folder, "forms", os.urandom)


def test_the_control_key_is_new_at_every_start(folder):
    one = write_control_key(folder, os.urandom)
    (folder / "control.new").write_text("left by one that was killed")
    two = write_control_key(folder, os.urandom)
    assert one != two
    assert f"{two}\n" == (folder / "control.key").read_text()
    assert 0o600 == mode(folder / "control.key")
    assert not (folder / "control.new").exists()


def test_a_command_that_held_it_in_between_is_no_keeper_that_died(folder):
    with held(folder, is_keeper=False) as replaces:
        assert not replaces
    with held(folder) as replaces:
        assert not replaces
    with held(folder, is_keeper=False):
        pass
    with held(folder) as replaces:
        assert replaces


def test_a_folder_in_whose_place_everybody_could_put_another_is_refused(tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(StartError, match="everybody may replace it: chmod o-w") as caught:
        prepare_folder(tmp_path / "shared" / "data")
    assert ExitCode.PERMISSION == caught.value.exit_code


def test_a_folder_in_a_sticky_one_is_as_good_as_any(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    prepare_folder(tmp_path / "tmp" / "data")


def test_a_key_behind_a_link_is_refused(folder):
    load_key(folder, "forms", os.urandom)
    (folder / "keys" / "forms.key").rename(folder / "elsewhere")
    (folder / "keys" / "forms.key").symlink_to(folder / "elsewhere")
    with pytest.raises(StartError, match="cannot be read"):
        load_key(folder, "forms", os.urandom)


def test_no_key_is_made_through_a_link(folder, tmp_path):
    (folder / "keys" / "forms.key").symlink_to(tmp_path / "planted")
    with pytest.raises(StartError, match="cannot be read"):
        load_key(folder, "forms", os.urandom)
    assert not (tmp_path / "planted").exists()
