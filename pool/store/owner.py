"""The owner's account: made at the first start, its key kept in a file that only the owner of the machine can read."""

import json
from dataclasses import dataclass
from pathlib import Path

from pool.store.cluster import write_private
from pool.store.errors import AccountNameTaken
from pool.store.store import Store

OWNER = "owner"
FILE_NAME = "client.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFile:
    """What a client on this machine needs: the base URL (ending in /v1) and a key."""

    base_url: str
    api_key: str


def read_client_file(data_dir: Path) -> ClientFile | None:
    """The file's content, or None when it is not there or not whole."""
    try:
        fields = json.loads((data_dir / FILE_NAME).read_text(encoding="utf-8"))
        return ClientFile(base_url=str(fields["base_url"]), api_key=str(fields["api_key"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


async def ensure_owner(store: Store, data_dir: Path, base_url: str) -> str:
    """A valid key of the account `owner`: the one in `data_dir`/client.json if it still works, else a new one.

    The file (0600) is rewritten only when something in it changes. Raises: DatabaseAway.
    """
    found = read_client_file(data_dir)
    works = found is not None and await store.accounts.authenticate(found.api_key) is not None
    api_key = found.api_key if found is not None and works else await _new_key(store)
    wanted = ClientFile(base_url=base_url, api_key=api_key)
    if wanted != found:
        write_private(data_dir / FILE_NAME, json.dumps({"base_url": base_url, "api_key": api_key}, indent=1) + "\n")
    return api_key


async def _new_key(store: Store) -> str:
    account = await store.accounts.find(OWNER)
    if account is not None:
        return await store.accounts.add_key(account)
    try:
        return (await store.accounts.create(OWNER)).api_key
    except AccountNameTaken:  # someone made it between the two: then it can be found
        account = await store.accounts.find(OWNER)
        if account is None:
            raise
        return await store.accounts.add_key(account)
