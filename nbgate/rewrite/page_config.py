"""Change string values of the JSON object in a page's `jupyter-config-data`, and not one byte beside them.

It does not know which values matter; `Edit` does.
"""

from collections.abc import Callable

from nbgate.rewrite.json_strings import edit_strings

Edit = Callable[[str, str], str]


def edit_config(text: bytes, edit: Edit) -> bytes:
    """Return `text` with each string value of its outermost object as `edit(key, value)` wants it.

    Args:
        text: A JSON object; what cannot be read is left as it is, the page could not read it either.
        edit: Gets key and value decoded, returns the value to write.
    """
    return edit_strings(text, lambda path, value: edit(path[0] or "", value), max_depth=1)
