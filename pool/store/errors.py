"""Errors of the store that are not a client's fault.

PoolError
  StoreError                     500
    DatabaseUnusable             exit code 2: the configuration must change
    DataDirInUse                 exit code 2
    PostgresFailed               the embedded server does not start
    MigrationChanged             exit code 2
  AccountNameTaken               409
  AccountNameInvalid             400
"""

from pool.errors import InvalidRequest, PoolError


class StoreError(PoolError):
    """The pool's own storage failed."""

    exit_code: int = 1


class DatabaseUnusable(StoreError):
    """This PostgreSQL cannot serve the pool as it is."""

    exit_code = 2


class DataDirInUse(StoreError):
    """Another pool owns this data folder."""

    exit_code = 2


class PostgresFailed(StoreError):
    """The embedded PostgreSQL does not start."""


class MigrationChanged(StoreError):
    """The tables were made by other migrations than the ones in this program."""

    exit_code = 2


class AccountNameTaken(PoolError):
    """There is an account of that name (capitals do not count)."""

    status = 409
    type = "invalid_request_error"
    code = "account_name_taken"


class AccountNameInvalid(InvalidRequest):
    """An account's name is 1-64 characters, with no control characters and no space at its ends."""

    code = "account_name_invalid"
