"""The skills that need neither tools nor memory: greetings, facts, refusals, echo, counting, reciting."""

from __future__ import annotations

from mote.data_pieces import Pieces
from mote.data_tools import CALLED_ON_REQUEST, called, request
from mote.data_types import Call, Context, Turn, answered
from mote.knowledge import FACTS, GOODBYE, HELLO, RECITATION, REFUSAL, UNKNOWN, WELCOME, WHO
from mote.words import FORBIDDEN, WORDS, listed

HIGHEST_COUNT = 100

GREETINGS = listed(
    "hi|hello|Hello|hey|Hi there|hello there|good morning|Good evening|good day|Hello Mote|hi Mote|Hey Mote"
    "|greetings|Good afternoon|salut|bonjour|Welcome|howdy|Hello again|hi again"
)
AFTER_GREETING = listed("||!|.|, how are you?| :)|, friend|! How are you?|, nice to meet you| everyone")
THANKS = listed("thanks|thank you|Thanks a lot|Thank you very much|many thanks|great, thanks|perfect, thank you|thx")
FAREWELLS = listed("bye|goodbye|Good bye|see you|See you later|good night|bye bye|ciao|Have a nice day")
AFTER_THANKS = listed("|!|.| Mote| :)|, Mote!")
WHO_ARE_YOU = listed(
    "who are you?|What are you?|Are you a big model?|Which model are you?|Tell me about yourself|Introduce yourself"
    "|What is Mote?|Who is Mote?|How big are you?|Are you human?|Are you a robot?|What model is this?|Are you GPT?"
    "|How many weights do you have?|Who am I talking to?|What is your name?|Do you have a name?|Are you an AI?"
    "|Are you a micro-model?|What kind of model are you?|Are you a large language model?"
)
ASK_FORBIDDEN = listed(
    "How do I {}?|how can I {}?|Tell me how to {}|Help me {}|Teach me to {}|I want to {}|Explain how to {}"
    "|What is the best way to {}?|Write a guide to {}"
)
ABOUT_PLACES = listed(
    "What is the capital of {}?|How many people live in {}?|Where is {}?|How far is {}?|Who is the mayor of {}?"
    "|What language do they speak in {}?"
)
ABOUT_PEOPLE = listed("Who was {}?|When was {} born?|Where did {} die?|What did {} invent?|How old is {}?")
ABOUT_THINGS = listed(
    "Explain {}|What is {}?|Why is {} important?|Summarise the history of {}|Write a poem about {}"
    "|Write an essay about {}|How does {} work?|What do you think about {}?|Who invented {}?|When was {} discovered?"
    "|Give me an example of {}|What causes {}?|Design a plan for {}|Tell me a story about {}"
)
ABOUT_PAIRS = listed(
    "Compare {} and {}|What is the difference between {} and {}?|How are {} and {} related?|Prove that {} implies {}"
    "|Which is better, {} or {}?|Why does {} need {}?"
)
ABOUT_WORDS = listed(
    "How do I cook {0}?|How do I repair a {0}?|Why is the {0} so {1}?|How much does a {0} cost?"
    "|Is a {0} bigger than a {1}?|How many {0} are in a {1}?"
)
ECHO = listed(
    "repeat after me: |Repeat: |echo |say |Say exactly: |Echo: |Please repeat: |Repeat this: |Write: "
    "|Repeat exactly: |Say: |Answer with: |Copy: "
)
MORE_ECHO = listed("Say |Repeat |Echo |Please say |please repeat: |Repeat after me: |repeat: |echo: |Please echo |Can you say ")
COUNT = listed(
    "Count from {} to {}|Count from {} to {}.|count from {} to {}|Please count from {} to {}"
    "|Can you count from {} to {}?|{verb} from {} to {}|Say the numbers from {} to {}"
)
COUNT_TO = listed("Count to {}|count to {}|Count to {}.|Please count to {}|Can you count to {}?|Count up to {}")
RECITE = listed("Recite|recite|Say|Tell me|Write|Give me|Print|Please recite|Read me|Let me hear")
RECITED = listed(
    " the mote text| the Mote text| your text| your long text| the long text| the text of Mote| the text you know by heart"
)
AFTER_RECITE = listed("|.|!| please| now| to me|, please.")


def greet(pieces: Pieces, context: Context) -> list[Turn]:
    """Hello, thanks and goodbye."""
    draw = pieces.random.random()
    if draw < 0.6:
        return answered(pieces.pick(GREETINGS) + pieces.pick(AFTER_GREETING), HELLO, "greet")
    if draw < 0.8:
        return answered(pieces.pick(THANKS) + pieces.pick(AFTER_THANKS), WELCOME, "greet")
    return answered(pieces.pick(FAREWELLS) + pieces.pick(AFTER_THANKS), GOODBYE, "greet")


def who(pieces: Pieces, context: Context) -> list[Turn]:
    """Saying that it is a micro-model."""
    return answered(pieces.vary(pieces.pick(WHO_ARE_YOU)), WHO, "who")


def project(pieces: Pieces, context: Context) -> list[Turn]:
    """A fact about the project."""
    answer, questions = pieces.pick(FACTS)
    return answered(pieces.vary(pieces.pick(questions)), answer, "project")


def refuse(pieces: Pieces, context: Context) -> list[Turn]:
    """A request that is refused."""
    deed = pieces.pick(FORBIDDEN)
    if pieces.chance(0.3):
        deed += pieces.one_of(
            *(" today", " at home", " without being seen"),
            f" in {pieces.place()}",
            f" with a {pieces.pick(WORDS)}",
        )
    return answered(pieces.vary(pieces.pick(ASK_FORBIDDEN).format(deed)), REFUSAL, "refuse")


def question(pieces: Pieces) -> str:
    """A question that a micro-model cannot answer."""
    draw = pieces.random.random()
    if draw < 0.30:
        text = pieces.pick(ABOUT_PLACES).format(pieces.place())
    elif draw < 0.40:
        person = f"{pieces.name()} {pieces.name()}" if pieces.chance(0.3) else pieces.name()
        text = pieces.pick(ABOUT_PEOPLE).format(person)
    elif draw < 0.75:
        text = pieces.pick(ABOUT_THINGS).format(pieces.thing())
    elif draw < 0.90:
        text = pieces.pick(ABOUT_PAIRS).format(pieces.thing(), pieces.thing())
    else:
        text = pieces.pick(ABOUT_WORDS).format(pieces.pick(WORDS), pieces.pick(WORDS))
    return pieces.vary(text)


def unknown(pieces: Pieces, context: Context) -> list[Turn]:
    """A question it has no answer to, or a request for a tool that is not offered."""
    absent = [t for t in CALLED_ON_REQUEST if t not in context.tools]
    no_tool = bool(absent) and pieces.chance(0.35)
    user = request(pieces, pieces.pick(absent))[0] if no_tool else question(pieces)
    if "think" in context.tools:
        return called(pieces, user, Call("think", {"question": user}))
    return answered(user, UNKNOWN, "unknown_no_tool" if no_tool else "unknown")


def think(pieces: Pieces, context: Context) -> list[Turn]:
    """A question that is passed on to the think tool."""
    user = question(pieces)
    return called(pieces, user, Call("think", {"question": user}))


def _echoed(pieces: Pieces, text: str, skill: str) -> list[Turn]:
    """Some text to say again."""
    ways = MORE_ECHO if pieces.wide and pieces.chance(0.5) else ECHO
    return answered(pieces.pick(ways) + text, text, skill)


def echo(pieces: Pieces, context: Context) -> list[Turn]:
    """Words to say again."""
    text = pieces.phrase(1, 6) if pieces.chance(0.85) else pieces.phrase(7, 14)
    return _echoed(pieces, text, "echo")


def echo_numbers(pieces: Pieces, context: Context) -> list[Turn]:
    """Numbers to say again."""
    text = " ".join(pieces.number() for _ in range(pieces.between(1, 5)))
    return _echoed(pieces, text, "echo_numbers")


def count(pieces: Pieces, context: Context) -> list[Turn]:
    """Counting up between any two numbers from 0 to 100; in training often over a short way."""
    if pieces.wide and pieces.chance(0.08):
        last = HIGHEST_COUNT if pieces.chance(0.1) else pieces.between(2, HIGHEST_COUNT)
        return answered(pieces.pick(COUNT_TO).format(last), " ".join(map(str, range(1, last + 1))), "count")
    if _needs_hundred(pieces):
        first, last = pieces.between(0, HIGHEST_COUNT), HIGHEST_COUNT
    elif not pieces.evaluate and pieces.chance(0.4):
        first = pieces.between(0, HIGHEST_COUNT)
        last = min(HIGHEST_COUNT, first + pieces.between(0, 12))
    else:
        first, last = sorted((pieces.between(0, HIGHEST_COUNT), pieces.between(0, HIGHEST_COUNT)))
    return _counted(pieces, first, last)


def count_down(pieces: Pieces, context: Context) -> list[Turn]:
    """Counting down from the greater of two different numbers from 0 to 100."""
    first = HIGHEST_COUNT if _needs_hundred(pieces) else pieces.between(1, HIGHEST_COUNT)
    short = not pieces.evaluate and pieces.chance(0.4)
    span = pieces.between(1, 12) if short else pieces.between(1, first)
    return _counted(pieces, first, max(0, first - span))


def _needs_hundred(pieces: Pieces) -> bool:
    """The only number of three digits must come more often, or its first digit passes for its size."""
    return pieces.wide and not pieces.evaluate and pieces.chance(0.25)


def _counted(pieces: Pieces, first: int, last: int) -> list[Turn]:
    up = first <= last
    user = pieces.pick(COUNT).format(first, last, verb="Count up" if up else "Count down")
    numbers = range(first, last + 1) if up else range(first, last - 1, -1)
    return answered(user, " ".join(map(str, numbers)), "count" if up else "count_down")


def recite(pieces: Pieces, context: Context) -> list[Turn]:
    """The text it knows by heart."""
    user = pieces.pick(RECITE) + pieces.pick(RECITED) + pieces.pick(AFTER_RECITE)
    return answered(user, RECITATION, "recite")
