"""A session's label tells sessions apart and gives nothing away."""

from nbgate.model.session import LABEL_HEX, Session


def test_the_label_is_the_beginning_of_the_id():
    session = Session(id=bytes(range(32)), user="ada", created_unix=1.0, absolute_unix=2.0)
    assert "000102030405" == session.label
    assert LABEL_HEX == len(session.label)
