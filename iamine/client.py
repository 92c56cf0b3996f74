"""A small client of the pool's HTTP API for the commands: models, status and streamed chat."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from iamine.errors import IamineError

FILE_NAME = "client.json"
CONNECT_S, READ_S = 5.0, 310.0  # the pool keeps a stream alive with comments and ends it after 300 s
CLAIM_HINTS = {
    "claim_code_unknown": "look at the worker's screen, or `iamine status` on its machine: the code changes every hour",
    "worker_not_found": "`iamine workers` lists those of this account",
}
BASE_VARIABLE, KEY_VARIABLE = "OPENAI_BASE_URL", "OPENAI_API_KEY"


class ClientError(IamineError):
    """The pool could not be asked, or did not answer as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the pool is (ending in /v1) and the key to use, "" for none."""

    base_url: str
    api_key: str = ""


class _File(msgspec.Struct, frozen=True):
    base_url: str = ""
    api_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A comment of the stream: what the pool tells while it works."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of the answer, or of the reasoning before it."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The answer is whole; `extra` is the pool's own `x_iamine`."""

    model: str
    finish_reason: str
    usage: dict[str, Any]
    extra: dict[str, Any]


ChatEvent = Note | Delta | End


def access(environ: Mapping[str, str], data_dir: Path, pool: str | None = None) -> Access:
    """The pool to ask: `pool`, else OPENAI_BASE_URL, else DATA_DIR/client.json. Raises ClientError saying how to set it."""
    file = read_file(data_dir / FILE_NAME)
    base = pool or environ.get(BASE_VARIABLE) or file.base_url
    if not base:
        hint = f"start a pool with `iamine up`, give --pool URL, or set {BASE_VARIABLE} and {KEY_VARIABLE}"
        raise ClientError(f"no pool is known ({data_dir / FILE_NAME} does not name one)", hint=hint)
    base_url = with_version(base)
    own_key = file.api_key if with_version(file.base_url or base) == base_url else ""
    return Access(base_url=base_url, api_key=environ.get(KEY_VARIABLE) or own_key)


def read_file(path: Path) -> _File:
    """client.json, or nothing when it is not there. Raises ClientError when it is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return _File()
    except (OSError, msgspec.DecodeError) as error:
        hint = 'it holds {"base_url": "http://HOST:PORT/v1", "api_key": "..."}; repair or delete it'
        raise ClientError(f"{path} cannot be used: {error}", hint=hint) from error


def with_version(address: str) -> str:
    """The address with a scheme and ending in /v1, whether or not it had them."""
    address = address.strip().rstrip("/")
    address = address if "://" in address else f"http://{address}"
    return address if address.endswith("/v1") else f"{address}/v1"


class Client:
    """Asks one pool. `transport` replaces the network in tests."""

    def __init__(self, access: Access, *, agent: str = "iamine", transport: httpx.BaseTransport | None = None) -> None:
        headers = {"user-agent": agent}
        if access.api_key:
            headers["authorization"] = f"Bearer {access.api_key}"
        self._access = access
        self._http = httpx.Client(
            headers=headers, timeout=httpx.Timeout(READ_S, connect=CONNECT_S), transport=transport, trust_env=_by_proxy(access)
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def models(self) -> list[dict[str, Any]]:
        """The models that the pool knows, as it lists them, with what `x_iamine` tells beside."""
        listed = self._get("models").get("data")
        if not isinstance(listed, list):
            raise self._strange("the list of models has no `data`")
        models = [model for model in listed if isinstance(model, dict) and isinstance(model.get("id"), str)]
        return [{**model, **_dict(model.get("x_iamine"))} for model in models]

    def status(self) -> dict[str, Any]:
        """The pool's state, as it tells it."""
        return self._get("status")

    def claim(self, code: str) -> dict[str, Any]:
        """The worker whose code this is, ours from now on."""
        return self._ask("POST", "me/workers/claim", {"code": code})

    def workers(self) -> list[dict[str, Any]]:
        """The workers of the key's account."""
        listed = self._get("me/workers").get("data")
        if not isinstance(listed, list):
            raise self._strange("the list of workers has no `data`")
        return [worker for worker in listed if isinstance(worker, dict)]

    def unclaim(self, worker: str) -> None:
        """Give a worker of the account up."""
        self._ask("DELETE", f"me/workers/{quote(worker, safe='')}")

    def pool_time_s(self) -> float | None:
        """The pool's clock (seconds since 1970) by its Date header, None when it sends none."""
        with self._asked():
            response = self._http.get(f"{self._access.base_url}/models")
        try:
            return parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError):
            return None

    def chat(self, messages: Sequence[Mapping[str, Any]], *, model: str, **parameters: Any) -> Iterator[ChatEvent]:
        """The answer as it comes; the last event is End. Raises ClientError, also when the stream breaks off."""
        body = {"model": model, "messages": list(messages), "stream": True, **parameters}
        body["stream_options"] = {"include_usage": True}
        url = f"{self._access.base_url}/chat/completions"
        with self._asked(), self._http.stream("POST", url, json=body, headers={"accept": "text/event-stream"}) as response:
            if response.status_code != httpx.codes.OK:
                response.read()
                raise self._refused(response)
            yield from answer(events(response.iter_lines()), model)

    def _get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        with self._asked():
            response = self._http.request(method, f"{self._access.base_url}/{path}", json=body)
        if response.status_code != httpx.codes.OK:
            raise self._refused(response)
        found = _object(response.text)
        if found is None:
            raise self._strange(f"/{path} gave no JSON object")
        return found

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """The network's errors in words."""
        try:
            yield
        except httpx.ConnectError as error:
            hint = "check that the pool runs (`iamine up` starts one here) and that the address is right"
            raise ClientError(f"cannot reach the pool at {self._access.base_url}: {error}", hint=hint) from error
        except httpx.TimeoutException as error:
            hint = "try again; if it stays so, ask the pool's operator"
            raise ClientError(f"the pool at {self._access.base_url} did not answer in time", hint=hint) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            hint = "an address looks like http://HOST:PORT/v1"
            raise ClientError(f"{self._access.base_url} is no address: {error}", hint=hint) from error
        except httpx.HTTPError as error:
            hint = "try again: asking twice is safe"
            raise ClientError(f"the connection to the pool broke off: {error}", hint=hint) from error

    def _refused(self, response: httpx.Response) -> ClientError:
        """The pool's own words, and what to try by the status."""
        told = (_object(response.text) or {}).get("error")
        said = told.get("message") if isinstance(told, dict) else None
        match response.status_code:
            case 401:
                hint = f"set {KEY_VARIABLE} to a key of this pool, or put it as api_key into {FILE_NAME}"
            case 402:
                hint = "the account has no credit left; earn some with `iamine worker --auto`"
            case 404 if isinstance(told, dict) and told.get("code") in CLAIM_HINTS:
                hint = CLAIM_HINTS[told["code"]]
            case 404:
                hint = "check the address (it ends in /v1) and the model's name: `iamine status` lists them"
            case 429 | 503:
                hint = f"try again in {response.headers.get('retry-after', 'a few')} s"
            case _:
                hint = "change the request as the message says, or ask the pool's operator"
        return ClientError(f"{said or 'the pool refused'} (HTTP {response.status_code})", hint=hint)

    def _strange(self, what: str) -> ClientError:
        return ClientError(f"{self._access.base_url} does not answer like a pool: {what}", hint="check the address")


def events(lines: Iterable[str]) -> Iterator[Note | str]:
    """Server-sent events (WHATWG HTML 9.2.6) out of lines: comments as Notes, the data of each event as text."""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield "\n".join(data)
            data = []
        elif line.startswith(":"):
            yield Note(text=line[1:].strip())
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))


def answer(stream: Iterable[Note | str], model: str) -> Iterator[ChatEvent]:
    """Chat events out of the stream's data. Raises ClientError for an error event and for an end without [DONE]."""
    finish = ""
    usage: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for event in stream:
        if isinstance(event, Note):
            yield event
            continue
        if event == "[DONE]":
            yield End(model=model, finish_reason=finish, usage=usage, extra=extra)
            return
        chunk = _object(event) or {}
        if "error" in chunk:
            told = chunk["error"]
            said = told.get("message", told) if isinstance(told, dict) else told
            raise ClientError(f"the answer broke off: {said}", hint="ask again: what was not finished is not charged in full")
        model, usage, extra = chunk.get("model", model), chunk.get("usage") or usage, chunk.get("x_iamine") or extra
        for choice in chunk.get("choices", ())[:1]:
            delta, finish = choice.get("delta") or {}, choice.get("finish_reason") or finish
            text, reasoning = delta.get("content") or "", delta.get("reasoning_content") or ""
            if text or reasoning:
                yield Delta(text=text, reasoning=reasoning)
    raise ClientError("the answer broke off before its end", hint="ask again: asking twice is safe")


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _by_proxy(access: Access) -> bool:
    """Whether proxies of the environment may stand between: not for a pool on this machine."""
    host = httpx.URL(access.base_url).host
    return host not in {"localhost", "127.0.0.1", "::1"}
