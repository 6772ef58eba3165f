"""What is said of an error that ends a command: `explained` gives its problems, or None for a defect of the program."""

import errno
from pathlib import Path

import click

from survey_app.problems import Problem, SipasError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)


def explained(error: BaseException, instance: Path) -> tuple[Problem, ...] | None:
    """The problems to show; None when the error is none that a person can mend."""
    if isinstance(error, SipasError):
        return error.problems
    if isinstance(error, click.ClickException):
        return (_of_usage(error),)
    if isinstance(error, OSError):
        return (_of_system(error),)
    if isinstance(error, MemoryError):
        return (Problem("there is not enough memory for this", "this machine", "end other programs, or add memory"),)
    if type(error).__module__ == "sqlite3":
        from survey_app.store import database_trouble

        trouble = database_trouble(error, instance / "sipas.sqlite3")  # type: ignore[arg-type]
        return (trouble,) if trouble else None
    # The analysis package has an error of its own of the same shape, which must not be imported at start-up.
    problems: tuple[Problem, ...] | None = getattr(error, "problems", None)
    return problems


def _of_usage(error: click.ClickException) -> Problem:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "sipas"
    return Problem(error.format_message(), command, f"see: {command} --help")


def _of_system(error: OSError) -> Problem:
    where = str(error.filename or "what this command writes")
    if error.errno in NO_SPACE:
        remedy = "make room on the disk, or raise the limit on the size of files, and try again"
    elif error.errno in NO_RIGHT:
        remedy = "run the command as the account that owns the instance, and see that the disk can be written to"
    else:
        remedy = "check the path, the rights to it and the space left"
    return Problem(error.strerror or str(error), where, remedy)
