"""What a command says when it can't do what it was asked to."""


class CommandError(RuntimeError):
    """One line for stderr: what failed, where, and what was expected or what to do next; with an exit code."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code
