"""Hashes that Jupyter made: read strictly, checked at the price of argon2id."""

import hashlib

import pytest

from nbgate.crypto import foreign_hashes
from nbgate.crypto.foreign_hashes import is_foreign, parse_imported_hash, verify_at_equal_cost
from nbgate.crypto.passwords import HashParameters, decoy_hash, hash_password
from nbgate.errors import CredentialRejected, InputRefused, StoreError

CHEAP = HashParameters(memory_kib=8, time_cost=1)
DECOY = decoy_hash(bytes(48), CHEAP)
PASSWORD = "a good long password"
OURS = hash_password(PASSWORD, salt=b"0123456789abcdef", parameters=CHEAP)
OF_JUPYTER = "$argon2id$v=19$m=10240,t=10,p=8$6jGrxfX4I6LHOFtjAwtbPQ$mlzFY7nUgpVqYiAmxii3wN8l7rr8pzK4bqRFqw0brIg"
EMPTY_SHA1 = hashlib.sha1(b"").hexdigest()


def made(name, password=PASSWORD, salt="0e112c3ddfce"):
    """Hash as `passwd(password, algorithm=name)` of the classic notebook does."""
    return f"{name}:{salt}:{hashlib.new(name, password.encode() + salt.encode()).hexdigest()}"


def rejected(stored, offered):
    with pytest.raises(CredentialRejected):
        verify_at_equal_cost(stored, offered, DECOY)
    return True


@pytest.mark.parametrize("name", ["sha1", "md5", "sha256", "sha512", "sha3_256", "blake2b"])
def test_any_name_that_hashlib_knows(name):
    stored = parse_imported_hash(f" {made(name)}\n")
    assert made(name) == stored
    assert is_foreign(stored)
    assert verify_at_equal_cost(stored, PASSWORD, DECOY) is None
    assert rejected(stored, PASSWORD + " ")
    assert rejected(stored, "")


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        ("sha1:7cf3:b7d6da294ea9592a9480c8f52e63cd42cfb9dd12", "mypassword"),  # IPython's documentation
        ("sha256:91b72265b1f5:150f031f371a3c7e99b23638c975f2b5ed58800ae8ec2870a47f549ccbdf213a", PASSWORD),
        ("sha1:cd61d8f16adf:1a9c4f732391bbdae904df93b562c305f13ce1a1", "caf\u00e9 au lait 123"),
    ],
)
def test_what_the_classic_notebook_made_opens(stored, password):
    """The last two are of notebook 6.5, `notebook.auth.security.passwd`."""
    assert stored == parse_imported_hash(stored)
    assert verify_at_equal_cost(stored, password, DECOY) is None


@pytest.mark.parametrize("salt", ["", "x", "!~", "s" * 128])
def test_salts_are_printable_ascii(salt):
    assert verify_at_equal_cost(parse_imported_hash(made("sha1", salt=salt)), PASSWORD, DECOY) is None


def test_a_name_in_capitals_is_the_same_name():
    assert made("sha256") == parse_imported_hash(made("sha256").replace("sha256", "SHA256"))


@pytest.mark.parametrize("text", [OF_JUPYTER, f"argon2:{OF_JUPYTER}", f" argon2:{OF_JUPYTER}\n"])
def test_argon2id_is_taken_as_ever(text):
    assert OF_JUPYTER == parse_imported_hash(text)
    assert not is_foreign(OF_JUPYTER)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no password hash of Jupyter's"),
        ("hunter2hunter2", "no password hash of Jupyter's"),
        ("sha1:salt", "no password hash of Jupyter's"),
        (f"sha1:a:b:{EMPTY_SHA1}", "no password hash of Jupyter's"),
        (f"sha1:sa lt:{EMPTY_SHA1}", "no password hash of Jupyter's"),
        (f"sha1:s\u00e4lt:{EMPTY_SHA1}", "no password hash of Jupyter's"),
        (f"sha1:{'s' * 129}:{EMPTY_SHA1}", "no password hash of Jupyter's"),
        (f"sha1:salt:{EMPTY_SHA1.upper()}", "no password hash of Jupyter's"),
        (f"sha1:salt:{EMPTY_SHA1}\nmore", "no password hash of Jupyter's"),
        (f"sha1:salt:{EMPTY_SHA1[:-1]}", "no sha1 digest"),
        (f"sha256:salt:{EMPTY_SHA1}", "no sha256 digest"),
        (f"rot13:salt:{EMPTY_SHA1}", "rot13 is not known here"),
        (f"shake_128:salt:{EMPTY_SHA1}", "no shake_128 digest"),
        (f"bcrypt:salt:{EMPTY_SHA1}", "no bcrypt digest"),
        ("argon2:hunter2", "no argon2id hash"),
        ("$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$" + "A" * 43, "no argon2id hash"),
        ("argon2:$argon2id$v=19$m=999999,t=1,p=1$c29tZXNhbHQ$" + "A" * 43, "costs too much"),
    ],
)
def test_anything_else_is_refused_with_a_hint_and_not_repeated(text, said):
    with pytest.raises(InputRefused, match=said) as caught:
        parse_imported_hash(text)
    assert "" != caught.value.hint
    assert "hunter2" not in caught.value.public + caught.value.hint


@pytest.mark.parametrize("stored", ["", OURS, made("sha1"), made("md5", password="b")])
def test_every_check_costs_one_argon2id(stored, monkeypatch):
    spent = []
    verify = foreign_hashes.verify_password
    monkeypatch.setattr(foreign_hashes, "verify_password", lambda *args: spent.append(args) or verify(*args))
    assert rejected(stored, "a wrong long password")
    assert [(stored if stored == OURS else DECOY, "a wrong long password")] == spent


def test_our_own_hash_is_checked_as_ever():
    assert verify_at_equal_cost(OURS, PASSWORD, DECOY) is None
    assert rejected(OURS, "a wrong long password")


def test_no_hash_is_opened_by_nothing():
    for offered in ("", PASSWORD, DECOY, "\ud800"):
        assert rejected("", offered)


def test_not_even_the_decoys_password_opens_what_it_stands_for():
    decoy = hash_password(PASSWORD, salt=bytes(16), parameters=CHEAP)
    for stored in ("", made("sha1", password="another")):
        with pytest.raises(CredentialRejected):
            verify_at_equal_cost(stored, PASSWORD, decoy)


@pytest.mark.parametrize("offered", ["x" * 1025, "\u00e9" * 513, "\ud800"])
def test_what_no_password_can_be_is_rejected(offered):
    stored = made("sha1", password=offered.encode("utf-8", "replace").decode("utf-8", "replace"))
    assert rejected(stored, offered)


@pytest.mark.parametrize("stored", ["hello", "sha1:salt:", "\u00e9"])
def test_a_hash_we_could_not_have_stored_is_ours_to_answer_for(stored):
    with pytest.raises(StoreError, match="stored password hash is damaged"):
        verify_at_equal_cost(stored, PASSWORD, DECOY)


def test_a_name_that_hashlib_no_longer_knows_opens_nothing():
    assert rejected(f"rot13:salt:{'a' * 40}", PASSWORD)
    assert rejected(f"shake_128:salt:{'a' * 40}", PASSWORD)
