"""The root of every error that a person may see: what happened, and what to try next."""


class IamineError(Exception):
    """Something failed, and there is a next step."""

    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    @property
    def message(self) -> str:
        return str(self)
