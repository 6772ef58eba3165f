"""The command `sipas`, also where only the interpreter is known: `python -m survey_app`."""

import signal


def main() -> None:
    """Until the command line is loaded nothing has begun: an interruption ends the process at once and quietly."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from survey_app.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
