"""What can go wrong while an image is built."""


class BuildError(Exception):
    """The image cannot be built; `hint` says what to try next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
