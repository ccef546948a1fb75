"""Key material is never printed."""

from nbgate.model.keys import SealingKey, TlsMaterial


def test_secrets_do_not_show_in_reprs():
    assert "hush" not in repr(TlsMaterial(chain_pem=b"hush", key_pem=b"hush"))
    assert "hush" not in repr(SealingKey(id=1, secret=b"hush"))
    assert "id=1" in repr(SealingKey(id=1, secret=b"hush"))
