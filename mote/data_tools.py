"""Tool requests with arguments to copy, the calls they lead to, and the sentence after a result."""

from __future__ import annotations

from mote.data_pieces import Pieces
from mote.data_types import Call, Context, Tool, Turn
from mote.words import listed

TOOLS = {
    tool.name: tool
    for tool in (
        Tool("think", ("question",)),
        Tool("weather", ("city",)),
        Tool("search", ("query",)),
        Tool("get_time", ()),
        Tool("add", ("a", "b")),
        Tool("read_file", ("path",)),
        Tool("write_file", ("path", "text")),
    )
}
# Tools that are offered but never called.
DISTRACTIONS = (
    Tool("send_mail", ("to", "text")),
    Tool("list_files", ("dir",)),
    Tool("translate", ("text", "lang")),
    Tool("calc", ("expr",)),
    Tool("open_url", ("url",)),
    Tool("play", ("song",)),
    Tool("remind", ("time", "text")),
    Tool("delete_file", ("path",)),
)
CALLED_ON_REQUEST = ("weather", "search", "get_time", "add", "read_file", "write_file")

WEATHER = listed(
    "What is the weather in {}?|weather in {}|Tell me the weather in {}|How is the weather in {}?"
    "|Will it rain in {}?|Is it cold in {}?|What is the temperature in {}?|Weather for {}"
)
SEARCH = listed("search for {}|Search the web for {}|look up {}|Find {} on the web|Search: {}|Google {}")
GET_TIME = listed(
    "What time is it?|What is the time?|Tell me the time|Do you have the time?|time?"
    "|What is the current time?|How late is it?|Give me the time"
)
ADD = listed(
    "add {} and {}|What is {} + {}?|Compute {} + {}|What is the sum of {} and {}?|Sum {} and {}|{} plus {}|How much is {} + {}?"
)
READ_FILE = listed("read {}|Read the file {}|Open {}|Show me {}|What is in {}?|What does {} say?|cat {}|Print the file {}")
WRITE_FILE = listed(
    "write {1} to {0}|Write {1} into {0}|Save {1} in {0}|Put {1} in the file {0}|Write to {0}: {1}|Store {1} in {0}"
)
SKIES = listed("sunny|rainy|windy|snow|cloudy|fog|storm|clear sky|light rain")
FAILURES = listed("not found|timeout|no permission|network is down|try again later")


def request(pieces: Pieces, tool: str) -> tuple[str, dict[str, object]]:
    """A user's request for a tool and the arguments it should be called with."""
    match tool:
        case "weather":
            city = pieces.place()
            return pieces.vary(pieces.pick(WEATHER).format(city)), {"city": city}
        case "search":
            query = pieces.phrase(1, 5).rstrip(",.!?")
            return pieces.pick(SEARCH).format(query), {"query": query}
        case "get_time":
            return pieces.vary(pieces.pick(GET_TIME)), {}
        case "add":
            a, b = (pieces.between(0, 10 ** pieces.between(1, 5) - 1) for _ in range(2))
            return pieces.vary(pieces.pick(ADD).format(a, b)), {"a": a, "b": b}
        case "read_file":
            path = pieces.path()
            return pieces.vary(pieces.pick(READ_FILE).format(path)), {"path": path}
        case "write_file":
            path, text = pieces.path(), pieces.phrase(1, 5)
            return pieces.pick(WRITE_FILE).format(path, text), {"path": path, "text": text}
        case _:
            raise ValueError(f"there is no request for the tool {tool}; use one of {CALLED_ON_REQUEST}")


def result(pieces: Pieces, call: Call) -> tuple[str, str]:
    """What the tool gives back and the sentence that should follow."""
    if pieces.chance(0.08):
        reason = pieces.phrase(1, 3) if pieces.chance(0.16) else pieces.pick(FAILURES)
        return f"error: {reason}", f"The tool failed: {reason}"
    match call.name:
        case "weather":
            weather = f"{pieces.pick(SKIES)}, {pieces.between(-15, 41)} C"
            return weather, f"The weather in {call.arguments['city']} is {weather}."
        case "get_time":
            time = f"{pieces.between(0, 23):02d}:{pieces.between(0, 59):02d}"
            return time, f"It is {time}."
        case "add":
            total = int(str(call.arguments["a"])) + int(str(call.arguments["b"]))
            return str(total), f"The sum is {total}."
        case "search":
            found = pieces.prose(2, 8)
            return found, f"I found: {found}"
        case "read_file":
            text = pieces.prose(1, 8)
            return text, f"The file {call.arguments['path']} says: {text}"
        case "write_file":
            return pieces.one_of("ok", "done", "saved"), f"I wrote the file {call.arguments['path']}."
        case _:
            thought = pieces.prose(3, 10)
            return thought, thought


def called(pieces: Pieces, user: str, call: Call) -> list[Turn]:
    """A request and its call; in about half of the dialogues the result and a sentence follow."""
    if not pieces.chance(0.45):
        return [Turn("user", user), Turn("assistant", call.text(), call.name, call)]
    returned, sentence = result(pieces, call)
    if pieces.chance(0.08) and not pieces.evaluate:
        call = Call(call.name, call.arguments, compact=True)
    return [
        Turn("user", user),
        Turn("assistant", call.text(), "" if call.compact else call.name, call),
        Turn("tool", returned),
        Turn("assistant", sentence, f"after_{call.name}"),
    ]


def use_tool(pieces: Pieces, context: Context, tool: str) -> list[Turn]:
    """A request that one of the offered tools answers."""
    user, arguments = request(pieces, tool)
    return called(pieces, user, Call(tool, arguments))
