import pytest

from nbgate.keeper.browsers import browser_label

GECKO = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
ANDROID = (
    "Mozilla/5.0 (Linux; Android 15; Pixel) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (GECKO, "Firefox on Linux"),
        (MAC + "Version/18.5 Safari/605.1.15", "Safari on macOS"),
        (ANDROID, "Chrome on Android"),
        (IPHONE + "CriOS/140.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (WINDOWS, "Chrome on Windows"),
        (WINDOWS + " Edg/140.0", "Edge on Windows"),
        (WINDOWS + " OPR/120", "Opera on Windows"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "Python"),
        ("Python/3.11 aiohttp/3.14", "Python"),
        ("something on Linux", "Linux"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
    ],
)
def test_what_a_browser_is_called(user_agent, label):
    assert label == browser_label(user_agent)
