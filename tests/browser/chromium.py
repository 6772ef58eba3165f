"""Where Debian's Chromium is, and how it is started: `chromium_path`, `QUIET`."""

import shutil

WHOLE = ("chromium", "chromium-browser", "google-chrome")
SHELL = ("chromium-headless-shell",)
"""The same engine, network, storage and service workers without windows: half the work for each page."""
QUIET = ("--no-sandbox", "--disable-gpu")


def chromium_path(*, whole: bool = False) -> str:
    """The program without windows where there is one, unless the `whole` browser is wanted."""
    names = WHOLE if whole else SHELL + WHOLE
    found = next((path for name in names if (path := shutil.which(name))), "")
    assert found, "The browser tests need Chromium; install it with: sudo apt-get install chromium"
    return found
