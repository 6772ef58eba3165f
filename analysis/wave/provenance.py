"""Which program made a file. Public: software."""

from importlib.metadata import PackageNotFoundError, version


def software() -> str:
    try:
        return f"sipas {version('sipas')}"
    except PackageNotFoundError:
        return "sipas, not installed"
