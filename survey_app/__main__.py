"""`python -m survey_app`: the command `sipas` where only the interpreter is known."""

from survey_app.cli import main

if __name__ == "__main__":
    main()
