"""Put a live session into a raw request file, changing nothing else: what is refused or passed is then the rest."""

import re

HEAD_END = b"\r\n\r\n"


def with_session(data, value):
    """Return `data` with the session cookie, and the Origin its Host asks for, in the head of each of its requests."""
    done = b""
    while data:
        end = data.find(HEAD_END)
        if end < 0:
            return done + data
        head, data = data[: end + len(HEAD_END)], data[end + len(HEAD_END) :]
        length = body_length(head, data)
        done += into_head(head, value) + data[:length]
        data = data[length:]
    return done


def into_head(head, value):
    """Return `head` with a cookie under the name that goes with its Host."""
    host = field(head, rb"host") or b"gw.test"
    port = re.search(rb":(\d+)$", host)
    suffix = b"" if port is None or port[1] == b"443" else b"-" + port[1]
    pair = b"__Host-Http-nbgate" + suffix + b"=" + value.encode()
    line_end = head.find(b"\r\n", len(head) - len(head.lstrip(b"\r\n"))) + 2
    added = b"" if field(head, rb"origin") is not None else b"Origin: https://" + host + b"\r\n"
    if field(head, rb"cookie") is None:
        added += b"Cookie: " + pair + b"\r\n"
    else:
        head = re.sub(rb"(?im)^(cookie:[ \t]*)", rb"\1" + pair + b"; ", head)
    return head[:line_end] + added + head[line_end:]


def field(head, name):
    """Return the value of the first header line called `name`, or None."""
    found = re.search(rb"(?im)^" + name + rb":[ \t]*(.*?)[ \t]*\r$", head)
    return None if found is None else found[1]


def body_length(head, rest):
    """Return how much of `rest` is this request's body; all of it where its framing is what the file is about."""
    if field(head, rb"transfer-encoding") is not None:
        end = re.search(rb"(?m)^0+\r\n\r\n", rest)
        return len(rest) if end is None else end.end()
    length = field(head, rb"content-length")
    if length is None:
        return 0
    return int(length) if length.isdigit() else len(rest)
