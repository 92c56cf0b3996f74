"""`iamine chat` and `iamine status`: the pool as its user sees it."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from iamine import __version__
from iamine.client import ChatEvent, Client, ClientError, Delta, End, Note, access
from iamine.paths import data_dir
from iamine.terminal import Terminal

EXIT_OK, EXIT_INTERRUPTED = 0, 130
PROMPT = "> "

Message = dict[str, str]
Ask = Callable[[list[Message]], Iterator[ChatEvent]]
ReadLine = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one turn; `end` is None when the person broke it off."""

    text: str
    reasoning: str
    end: End | None


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `chat` and `status`."""
    chat = subparsers.add_parser("chat", help="talk to a model of the pool")
    chat.add_argument(
        "text", nargs="?", metavar="TEXT", help="one question; - reads it from standard input; without it, a dialogue"
    )
    chat.add_argument("--model", help="which model (default: the first that the pool offers)")
    chat.add_argument("--system", help="instructions that stand before the dialogue")
    chat.add_argument("--max-tokens", type=int, help="the longest answer, in tokens")
    chat.add_argument("--temperature", type=float, help="0 for the likeliest answer")
    chat.set_defaults(run=run_chat)
    status = subparsers.add_parser("status", help="how the pool is")
    status.set_defaults(run=run_status)
    for parser in (chat, status):
        parser.add_argument("--pool", metavar="URL", help="the pool's address (default: OPENAI_BASE_URL, then client.json)")
        parser.add_argument("--data-dir", metavar="DIR", help="where client.json is")
        parser.add_argument("--json", action="store_true", help="print JSON")


def run_status(args: argparse.Namespace) -> int:
    """Ask the pool how it is and what it offers."""
    out = Terminal(sys.stdout)
    status, models = pool_status(args)
    if args.json:
        out.json({"status": status, "models": models})
    else:
        show_status(out, status, models)
    return EXIT_OK


def pool_status(args: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How the pool says it is, and its models. Raises ClientError."""
    with open_client(args) as client:
        status = client.status()
        return status, offered(client, status)


def show_status(out: Terminal, status: dict[str, Any], models: list[dict[str, Any]]) -> None:
    """The pool's status for people."""
    out.table(("pool", ""), [(name, value) for name, value in flat(status) if name not in ("models", "lacks")])
    lacks = status.get("lacks")
    for one in lacks if isinstance(lacks, list) else []:
        out.line(lack_line(one) if isinstance(one, dict) else str(one), "yellow")
    out.table(("model", "kind", "context", "workers"), [model_row(model) for model in models])


def run_chat(args: argparse.Namespace) -> int:
    """One question, or a dialogue."""
    with open_client(args) as client:
        model = args.model or first_model(client.models())
        given = {"max_tokens": args.max_tokens, "temperature": args.temperature}
        parameters = {name: value for name, value in given.items() if value is not None}

        def ask(messages: list[Message]) -> Iterator[ChatEvent]:
            return client.chat(messages, model=model, **parameters)

        history: list[Message] = [{"role": "system", "content": args.system}] if args.system else []
        if args.text is not None:
            text = sys.stdin.read() if args.text == "-" else args.text
            return once(ask, history, text, sys.stdout, sys.stderr, as_json=args.json)
        if args.json:
            raise ClientError("--json is for one question", hint='give it as TEXT: iamine chat --json "..."')
        Terminal(sys.stderr).line(f"{model}; Ctrl-D ends the dialogue, Ctrl-C an answer", "dim")
        return dialogue(ask, history, read_line(), sys.stdout, sys.stderr)


def open_client(args: argparse.Namespace) -> Client:
    """A client for the pool that options, environment and client.json name. Raises ClientError."""
    folder = data_dir(os.environ, args.data_dir)
    return Client(access(os.environ, folder, args.pool), agent=f"iamine/{__version__}")


def offered(client: Client, status: dict[str, Any]) -> list[dict[str, Any]]:
    """The models as the pool lists them; to those without a key, what its status says of them."""
    try:
        return client.models()
    except ClientError:
        models = status.get("models")
        return [model for model in models if isinstance(model, dict)] if isinstance(models, list) else []


def first_model(models: list[dict[str, Any]]) -> str:
    """The model to talk to when none is named: one with a worker, one that chats, first come. Raises ClientError."""
    chat = [model for model in models if model.get("kind", "chat") == "chat" and not model.get("pseudo")]
    if not chat:
        raise ClientError(
            "the pool has no chat model", hint="start a worker with `iamine worker --auto`, or name one with --model"
        )
    return str(max(chat, key=lambda model: bool(model.get("workers")))["id"])


def once(ask: Ask, history: list[Message], text: str, out: TextIO, err: TextIO, *, as_json: bool) -> int:
    """Ask one question and print the answer. Raises ClientError."""
    if not text.strip():
        raise ClientError("there is no question", hint='give it as TEXT, as in: iamine chat "How are you?"')
    turn = [*history, {"role": "user", "content": text}]
    silent = Terminal(err) if not as_json else None
    answer = show(ask(turn), Terminal(out) if not as_json else None, silent)
    if as_json and answer.end:
        end = answer.end
        found = {"model": end.model, "text": answer.text, "reasoning": answer.reasoning, "finish_reason": end.finish_reason}
        Terminal(out).json({**found, "usage": end.usage, "x_iamine": end.extra})
    return EXIT_OK if answer.end else EXIT_INTERRUPTED


def dialogue(ask: Ask, history: list[Message], read: ReadLine, out: TextIO, err: TextIO) -> int:
    """Turn after turn until Ctrl-D; Ctrl-C breaks off an answer, or ends the dialogue at the prompt."""
    history = list(history)
    while True:
        try:
            text = read(PROMPT).strip()
        except (EOFError, KeyboardInterrupt):
            Terminal(err).line()
            return EXIT_OK
        if not text:
            continue
        turn: Message = {"role": "user", "content": text}
        try:
            answer = show(ask([*history, turn]), Terminal(out), Terminal(err))
        except ClientError as error:
            Terminal(err).error(error)
            continue
        history += [turn, {"role": "assistant", "content": answer.text}]


def show(events: Iterator[ChatEvent], out: Terminal | None, err: Terminal | None) -> Answer:
    """Print an answer as it comes; notes of the pool go to `err` when a person looks at it."""
    text, reasoning, end, noted = "", "", None, ""
    try:
        for event in events:
            match event:
                case Delta():
                    text, reasoning = text + event.text, reasoning + event.reasoning
                    if out:
                        out.write(event.reasoning, "dim italic")
                        out.write(event.text)
                case Note():
                    if err and err.is_interactive and event.text != noted:
                        err.line(f"[{event.text}]", "dim")
                    noted = event.text
                case End():
                    end = event
    except KeyboardInterrupt:
        pass
    finally:
        if out:
            out.line()
    return Answer(text=text, reasoning=reasoning, end=end)


def read_line() -> ReadLine:
    """Python's own line editor with the arrow keys, where it is built in; without a prompt when nobody types."""
    if not sys.stdin.isatty():
        return lambda prompt: input()
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (its import gives input() a history)
    return input


def flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The pairs of nested objects, with dotted names."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def lack_line(lack: dict[str, Any]) -> str:
    """What the pool lacks of a model or a tier, in words."""
    what = lack.get("model") or f"a model of the tier {lack.get('tier', '?')}"
    waits = f", {lack['waiting']} wait" if lack.get("waiting") else ""
    return f"lacks {what}: {lack.get('lack_tps', '?')} virtual tokens/s{waits}"


def model_row(model: dict[str, Any]) -> tuple[object, ...]:
    """One line about a model; a dash where the pool says nothing."""
    return tuple(model.get(name, "-") for name in ("id", "kind", "context_tokens", "workers"))
