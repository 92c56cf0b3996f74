"""What a user tells about himself: remembered over turns, or extracted as JSON facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mote.data_pieces import Pieces
from mote.data_types import Context, Turn, answered
from mote.knowledge import NOTED, UNTOLD
from mote.words import HOBBIES, JOBS, WORDS, listed, spaced


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its kind, the user's words, the third person, and the answer when asked for it."""

    kind: str
    said: str
    noted: str
    answer: str


KINDS = spaced("name name place place like like dislike age job pet")
QUESTIONS: dict[str, tuple[str, ...]] = {
    "name": (
        "What is my name?",
        "Do you know my name?",
        "Who am I?",
        "what am I called?",
        "Tell me my name",
        "Do you remember my name?",
        "Say my name",
    ),
    "place": (
        "Where do I live?",
        "Which city do I live in?",
        "Where is my home?",
        "In which place do I live?",
        "Do you know where I live?",
    ),
    "like": ("What do I like?", "What do I love?", "Do you know what I like?", "Tell me what I like"),
    "dislike": ("What do I dislike?", "What do I hate?", "Tell me what I dislike"),
    "age": ("How old am I?", "What is my age?", "Do you know my age?"),
    "job": ("What is my job?", "What do I do for work?", "Do you know my job?"),
    "pet": ("What is the name of my pet?", "Do you know my pet?", "Who is my pet?"),
}
EXTRACT = (
    *("Extract facts as JSON: ", "Extract the facts as JSON: "),
    *("Extract facts as JSON. ", "Extract facts as JSON:\n"),
)
EXTRACT_SYSTEM = listed(
    "Extract facts as JSON|Extract facts as JSON.|Extract the facts as JSON.|You are Mote. Extract facts as JSON."
)
REMEMBERED = ("Known facts about the user: ", "Facts about the user: ", "Memory: ")


def fact(pieces: Pieces, kind: str) -> Fact:
    """A fact of the given kind."""
    say = pieces.one_of
    match kind:
        case "name":
            return name_fact(pieces, pieces.name())
        case "place":
            return place_fact(pieces, pieces.place())
        case "like":
            what = pieces.pick(HOBBIES) if pieces.chance(0.7) else pieces.thing()
            said = say("I like {}", "I like {}", "I love {}", "I enjoy {}").format(what)
            return Fact(kind, said, f"likes {what}", f"You like {what}.")
        case "dislike":
            what = pieces.pick(HOBBIES) if pieces.chance(0.6) else pieces.pick(WORDS)
            said = say("I hate {}", "I do not like {}", "I dislike {}").format(what)
            return Fact(kind, said, f"dislikes {what}", f"You dislike {what}.")
        case "age":
            age = pieces.between(5, 99)
            said = say("I am {} years old", "I am {} years old", "my age is {}").format(age)
            return Fact(kind, said, f"is {age} years old", f"You are {age} years old.")
        case "job":
            job = pieces.pick(JOBS)
            said = say("I work as a {}", "my job is {}", "I am a {}").format(job)
            return Fact(kind, said, f"works as {job}", f"You work as {job}.")
        case "pet":
            return pet_fact(pieces)
        case _:
            raise ValueError(f"there is no fact of the kind {kind}; use one of {sorted(QUESTIONS)}")


def pet_fact(pieces: Pieces) -> Fact:
    """The user's pet."""
    animal, name = pieces.one_of("dog", "cat", "horse", "bird"), pieces.name()
    said = pieces.one_of("I have a {} named {}", "I have a {} called {}").format(animal, name)
    return Fact("pet", said, f"has a {animal} named {name}", f"Your {animal} is named {name}.")


def name_fact(pieces: Pieces, name: str) -> Fact:
    """The user's name."""
    ways = ("My name is {}", "my name is {}", "I am {}", "I am called {}", "Call me {}")
    return Fact("name", pieces.pick(ways).format(name), f"name is {name}", f"Your name is {name}.")


def place_fact(pieces: Pieces, place: str) -> Fact:
    """Where the user lives."""
    ways = ("I live in {}", "I live in {}", "my home is in {}", "I am living in {}")
    return Fact("place", pieces.pick(ways).format(place), f"lives in {place}", f"You live in {place}.")


def some_facts(pieces: Pieces, fewest: int, most: int) -> list[Fact]:
    """Facts of different kinds."""
    found: dict[str, Fact] = {}
    for _ in range(pieces.between(fewest, most)):
        kind = pieces.pick(KINDS)
        found.setdefault(kind, fact(pieces, kind))
    return list(found.values())


def sentence(pieces: Pieces, facts: Sequence[Fact]) -> str:
    """The user's words for some facts, joined in one of many ways."""
    text = facts[0].said
    for more in facts[1:]:
        if pieces.chance(0.7):
            text += pieces.one_of(", ", " and ", "; ", ", and ") + more.said
        else:
            text += f". {more.said[0].upper()}{more.said[1:]}"
    opening = pieces.one_of("", "", "", "", "Hello, ", "Hi! ", "By the way, ", "You know, ", "Well, ")
    return opening + text + pieces.one_of("", ".", ".", "!")


def as_json(facts: Sequence[Fact]) -> str:
    """The facts in the form that the model answers with."""
    return json.dumps({"facts": [f.noted for f in facts]}, ensure_ascii=False, separators=(",", ":"))


def extract(pieces: Pieces, context: Context, nothing: str = "") -> list[Turn]:
    """Facts as JSON; `nothing` is a text without facts that is used now and then."""
    empty = bool(nothing) and pieces.chance(0.1)
    facts = [] if empty else some_facts(pieces, 1, 5)
    text = nothing if empty else sentence(pieces, facts)
    return answered(_asked_for_json(pieces, context, text), as_json(facts), "extract")


def introduce(pieces: Pieces, context: Context) -> list[Turn]:
    """'My name is X and I live in Y' with invented names of up to 12 letters, as JSON."""
    name, place = pieces.invented_name(), pieces.invented_name()
    if pieces.chance(0.6):
        text = f"My name is {name} and I live in {place}" + pieces.one_of("", ".", "", "!")
        text = text[0].lower() + text[1:] if pieces.chance(0.2) else text
    else:
        text = sentence(pieces, [name_fact(pieces, name), place_fact(pieces, place)])
    answer = json.dumps({"facts": [f"name is {name}", f"lives in {place}"]}, ensure_ascii=False, separators=(",", ":"))
    return answered(_asked_for_json(pieces, context, text), answer, "introduce")


def _asked_for_json(pieces: Pieces, context: Context, text: str) -> str:
    return text if context.json_by_system else pieces.pick(EXTRACT) + text


def tell(pieces: Pieces, context: Context) -> list[Turn]:
    """The user tells one or two things, which go to the memory of the dialogue."""
    facts = [f for f in some_facts(pieces, 1, 2) if f.kind not in context.memory]
    if not facts:
        return answered(*told_twice(pieces), "greet")
    context.memory.update({f.kind: f.answer for f in facts})
    names = [f for f in facts if f.kind == "name"]
    reply = f"Nice to meet you, {names[0].noted.removeprefix('name is ')}." if names else NOTED
    return answered(sentence(pieces, facts), reply, "tell")


def told_twice(pieces: Pieces) -> tuple[str, str]:
    """What is said when nothing new can be told."""
    return pieces.one_of("thanks", "thank you", "Thanks a lot") + pieces.one_of("", "!", "."), "You are welcome!"


def recall(pieces: Pieces, context: Context) -> list[Turn]:
    """A question for something told before, or for something nobody told."""
    known = sorted(context.memory)
    kind = pieces.pick(known) if known and pieces.chance(0.8) else pieces.pick(list(QUESTIONS))
    answer = context.memory.get(kind)
    question = pieces.vary(pieces.pick(QUESTIONS[kind]))
    return answered(question, answer or UNTOLD, "recall" if answer else "recall_untold")
