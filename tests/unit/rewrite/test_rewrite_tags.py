import pytest

from nbgate.rewrite.tags import TagReader

Read = tuple[bytes, list[tuple[bytes, bytes, bool]], bool]


def read(tag: bytes, *, by_the_byte: bool) -> Read | None:
    """Return name, attributes (name, value, bare) and whether it closes itself; None when the tag has no end."""
    reader = TagReader()
    buffer = bytearray(tag[:2])
    rest = [tag[at : at + 1] for at in range(2, len(tag))] if by_the_byte else [tag[2:]]
    end = reader.read(buffer)
    for piece in rest:
        assert end == -1
        buffer += piece
        end = reader.read(buffer)
    if end < 0:
        return None
    assert end == len(tag)
    attributes = [(found.name, tag[found.start : found.end], found.bare) for found in reader.attributes]
    return reader.name, attributes, reader.self_closing


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (b"<p>", (b"p", [], False)),
        (b"<BR/>", (b"br", [], True)),
        (b"<br / >", (b"br", [], False)),
        (b"<br // />", (b"br", [], True)),
        (b"</P\n>", (b"/p", [], False)),
        (b"</p a='>'>", (b"/p", [(b"a", b">", False)], False)),
        (
            b"<p\ta='1'\n B=\"2\"\fc=3\rd>",
            (b"p", [(b"a", b"1", False), (b"b", b"2", False), (b"c", b"3", True)], False),
        ),
        (b"<p a\t= \n'1'>", (b"p", [(b"a", b"1", False)], False)),
        (b"<p a=1/>", (b"p", [(b"a", b"1/", True)], False)),
        (b"<p a=1 />", (b"p", [(b"a", b"1", True)], True)),
        (b"<p a='1'b=\"2\"/c=3>", (b"p", [(b"a", b"1", False), (b"b", b"2", False), (b"c", b"3", True)], False)),
        (b"<p a==1>", (b"p", [(b"a", b"=1", True)], False)),
        (b"<p =a=1>", (b"p", [(b"=a", b"1", True)], False)),
        (b"<p \"a='1'>", (b"p", [(b'"a', b"1", False)], False)),
        (b"<p a=it's b='>'>", (b"p", [(b"a", b"it's", True), (b"b", b">", False)], False)),
        (b"<p a=`1` <b=2>", (b"p", [(b"a", b"`1`", True), (b"<b", b"2", True)], False)),
        (b"<p a=>", (b"p", [], False)),
        (b"<p a= >", (b"p", [], False)),
        (b"<p a= b=c>", (b"p", [(b"a", b"b=c", True)], False)),
        (b"<p a/b/>", (b"p", [], True)),
        (b"<p a='' A=\"\">", (b"p", [(b"a", b"", False), (b"a", b"", False)], False)),
        (b"<p<a \xff=\x00>", (b"p<a", [(b"\xff", b"\x00", True)], False)),
        (b"<p", None),
        (b"<p ", None),
        (b"<p a", None),
        (b"<p a ", None),
        (b"<p a=", None),
        (b"<p a=b", None),
        (b"<p a='b>", None),
        (b"<p a='b'", None),
        (b"<p a=\"'>", None),
    ],
)
def test_a_tag_is_read_as_browsers_read_it(tag: bytes, expected: Read | None) -> None:
    """HTML standard, section 13.2.5."""
    assert expected == read(tag, by_the_byte=False)
    assert expected == read(tag, by_the_byte=True)


def test_after_forgetting_only_the_end_is_looked_for() -> None:
    reader = TagReader()
    assert reader.read(bytearray(b"<p a='1' b='>>")) == -1
    reader.forget()
    assert reader.read(bytearray(b">>")) == -1
    reader.forget()
    assert reader.read(bytearray(b"' c=d /> text")) == 8
    assert reader.name == b"p"
    assert reader.attributes == []
    assert reader.self_closing
