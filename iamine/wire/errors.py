"""What can be wrong with the other side: each error is also the goodbye that is said."""

from iamine.errors import IamineError

REASON_CHARACTERS = 1000  # of a goodbye; a reason may quote what the other side said


class WireError(IamineError):
    """The other side broke the rules of the wire; the link ends with this code and reason."""

    def __init__(self, code: str, reason: str, *, fatal: bool = False, hint: str | None = None) -> None:
        reason = reason[:REASON_CHARACTERS]
        super().__init__(reason, hint=hint)
        self.code = code
        self.reason = reason
        self.fatal = fatal  # coming back the same way cannot help


class Malformed(WireError):
    """Bytes that are no message of this version."""

    def __init__(self, reason: str) -> None:
        super().__init__("malformed", reason)


class TooLarge(WireError):
    """A frame or a list in it over the limit."""

    def __init__(self, reason: str) -> None:
        super().__init__("too_large", reason)


class OutOfOrder(WireError):
    """A message that may not come now."""

    def __init__(self, reason: str) -> None:
        super().__init__("out_of_order", reason)


class BadSignature(WireError):
    """The other side does not hold the key that it shows."""

    def __init__(self, reason: str) -> None:
        super().__init__("bad_signature", reason, fatal=True)


class UnknownVersion(WireError):
    """No wire version in common."""

    def __init__(self, reason: str) -> None:
        super().__init__("unsupported_version", reason, fatal=True, hint="update the older side")
