"""`instructor`: typed answers by tools, by JSON schema and by JSON mode, streamed too."""

from typing import Literal

import instructor
import pytest
from conftest import Pool
from openai import OpenAI
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int


class Paint(BaseModel):
    colour: Literal["red", "green"]
    coats: Literal[1, 2, 3]


def client(pool: Pool, mode: instructor.Mode) -> instructor.Instructor:
    return instructor.from_openai(OpenAI(base_url=pool.base_url, api_key=pool.key, max_retries=0), mode=mode)


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA, instructor.Mode.TOOLS_STRICT])
def test_a_person_scripted(pool: Pool, mode: instructor.Mode) -> None:
    person = client(pool, mode).chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": "Extract: Jason is 25 years old"}], response_model=Person
    )
    assert person.age == 25 and person.name


@pytest.mark.parametrize("mode", [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA])
def test_a_choice(pool: Pool, model: str, mode: instructor.Mode) -> None:
    paint = client(pool, mode).chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hello"}], response_model=Paint, temperature=0
    )
    assert isinstance(paint, Paint)


def test_a_partial_stream_scripted(pool: Pool) -> None:
    parts = list(
        client(pool, instructor.Mode.TOOLS).chat.completions.create_partial(
            model="scripted", messages=[{"role": "user", "content": "Extract: Jason is 25 years old"}], response_model=Person
        )
    )
    assert parts[-1].age == 25
