"""A pool on this machine as `up` sees it: its address, its answers, and what to tell the person who started it."""

import errno
import json
import shlex
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iamine.errors import IamineError

MAX_PORT = 65535
ANSWER_WAIT_S = 2.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not bound


class AddressUnusable(IamineError):
    """The pool cannot listen there."""

    exit_code: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the pool listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """How this machine reaches it."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def check_free(self) -> None:
        """Raises: AddressUnusable when something listens there already, or nothing can."""
        if not 0 <= self.port <= MAX_PORT:  # getaddrinfo would wrap it round
            raise AddressUnusable(f"port {self.port} is not one of 0-{MAX_PORT}", hint="--port 8000")
        try:
            _bind(self.host, self.port)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> AddressUnusable:
        number = error.errno
        if number == errno.EADDRINUSE:
            return AddressUnusable(f"port {self.port} is in use", hint=f"choose another one: --port {self.port % MAX_PORT + 1}")
        if number == errno.EACCES:
            return AddressUnusable(f"port {self.port} needs root", hint="choose one from 1024: --port 8000")
        if number in (errno.EADDRNOTAVAIL, socket.EAI_NONAME):
            return AddressUnusable(f"{self.host} is not an address of this machine", hint="--host 127.0.0.1")
        return AddressUnusable(f"cannot listen on {self.host} port {self.port}: {error}", hint="--host 127.0.0.1 --port 8000")


def free_port(host: str) -> int:
    """A port that nobody uses now. Raises: AddressUnusable."""
    try:
        return _bind(host, 0)
    except OSError as error:
        raise Address(host=host, port=0)._unusable(error) from error


def _bind(host: str, port: int) -> int:
    family, kind, protocol, _, where = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(where)
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What a client needs; `base_url` ends in /v1."""

    base_url: str
    api_key: str


def read_client(data_dir: Path) -> Client | None:
    """The content of `data_dir`/client.json, which the pool writes at its start; None when there is none."""
    try:
        fields = json.loads((data_dir / "client.json").read_text(encoding="utf-8"))
        return Client(base_url=fields["base_url"], api_key=fields["api_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_answering(url: str) -> bool:
    """Does this URL answer 200?"""
    return _get(url, {}) is not None


def offered_model(client: Client) -> str | None:
    """A model that a worker offers now, a chat model if there is one."""
    answer = _get(f"{client.base_url}/models", {"Authorization": f"Bearer {client.api_key}"})
    return choose_model(answer) if answer is not None else None


def choose_model(answer: bytes) -> str | None:
    """The first chat model (or else the first one) that a worker offers, in a /v1/models answer; None when there is none."""
    try:
        models: list[dict[str, Any]] = json.loads(answer)["data"]
        offered = [(str(model["id"]), model.get("x_iamine", {})) for model in models]
        ids = [name for name, about in sorted(offered, key=_rank) if about.get("workers", 1) and not about.get("pseudo")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return ids[0] if ids else None


def _rank(offer: tuple[str, dict[str, Any]]) -> bool:
    return bool(offer[1].get("kind", "chat") != "chat")


def _get(url: str, headers: dict[str, str]) -> bytes | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine needs no proxy
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=ANSWER_WAIT_S) as answer:  # noqa: S310 - http
            content: bytes = answer.read()
            return content if answer.status == 200 else None
    except (urllib.error.URLError, OSError, ValueError):
        return None


def banner(client: Client, model: str | None, data_dir: Path, took_s: float) -> str:
    """What `up` prints when it is ready; every line of it can be pasted into a shell."""
    return f"""
IAMINE is up after {took_s:.1f} s.

  URL      {client.base_url}
  API key  {client.api_key}
  Model    {model or "none yet: `iamine models` lists them when a worker has joined"}
  Data     {data_dir}

export OPENAI_BASE_URL={shlex.quote(client.base_url)}
export OPENAI_API_KEY={shlex.quote(client.api_key)}

{curl(client, model)}

Ctrl-C stops everything.
"""


def curl(client: Client, model: str | None) -> str:
    """A first request as one line."""
    who = f"-H {shlex.quote(f'Authorization: Bearer {client.api_key}')}"
    if model is None:
        return f"curl {shlex.quote(client.base_url + '/models')} {who}"
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello! Who are you?"}]})
    url = shlex.quote(f"{client.base_url}/chat/completions")
    return f"curl {url} {who} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
