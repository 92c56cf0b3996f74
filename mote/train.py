"""Trains mote on one core, from nothing to a checkpoint: a long stage, then a short one that widens it."""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from mote import tokenizer as bpe
from mote.batches import PROMPT, Batch, Batches
from mote.data import SKILLS, TASKS, Generator
from mote.data_text import render
from mote.model import Mote, Shape
from mote.muon import Muon
from mote.questions import questions
from mote.score import exact_answers

SEED = 20261122
DIALOGUES_FOR_TOKENIZER = 12_000

MUON_RATE, ADAM_RATE, DECAY = 0.02, 0.004, 0.05
WARM_STEPS = 60
# The learning rate ends at this share of the full height.
END_RATE = 0.01
# Share of the prompt's tokens that is learnt too: enough to know the language of the users.
PROMPT_KEPT = 0.1
# Rows that go into the loss are padded to a multiple of this: few shapes, few compiled kernels.
LOSS_ROWS = 256
CHECK_EVERY_TOKENS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Some tokens of training; `rate` is the height of the learning rate, which falls after `flat` of them."""

    tokens: int
    rate: float
    flat: float
    seed: int
    wide: bool


# The second stage was added for what the first left weak (2026-11-22): counting down, repeated words,
# "Say ..." and "Count to ...".
STAGES = (
    Stage(tokens=24_000_000, rate=1.0, flat=0.35, seed=SEED, wide=False),
    Stage(tokens=2_600_000, rate=0.3, flat=0.0, seed=SEED + 10, wide=True),
)


@dataclass(slots=True)
class Progress:
    """What the lines of progress tell."""

    total: int
    started_s: float
    seen: int = 0
    steps: int = 0
    loss: float = 0.0
    shown: int = 0

    def add(self, tokens: int, loss: float) -> None:
        """Takes in one step."""
        self.seen, self.steps = self.seen + tokens, self.steps + 1
        self.loss = loss if self.steps == 1 else 0.97 * self.loss + 0.03 * loss

    def line(self, failures: dict[str, float]) -> str:
        """Percent, time left, speed, loss and the skills that still fail."""
        spent_s = time.monotonic() - self.started_s
        share = min(1.0, self.seen / self.total)
        left_s = spent_s * (1 - share) / max(share, 1e-9)
        worst = " ".join(f"{s}:{f:.2f}" for s, f in sorted(failures.items(), key=lambda x: -x[1])[:8] if f > 0.02)
        return (
            f"{share:6.1%}  ETA {left_s / 60:4.1f} min  {self.seen / 1e6:5.2f} M tokens  step {self.steps}  "
            f"CPU {time.process_time() / 60:4.1f} min  {self.seen / spent_s:.0f} tok/s  loss {self.loss:.4f}  {worst}"
        )


def compute_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it (five times as fast on Zen 4 and 5), else float32."""
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def learning_rate(stage: Stage, step: int, share: float) -> float:
    """The factor on both learning rates after `step` steps and `share` of the stage's tokens."""
    falling = min(1.0, max(END_RATE, (1 - share) / (1 - stage.flat)))
    return stage.rate * falling * min(1.0, (step + 1) / WARM_STEPS)


class Trainer:
    """One stage: the model, fresh optimizers and the stage's data."""

    def __init__(self, model: Mote, tokenizer: Tokenizer, stage: Stage, scale: float) -> None:
        self.model, self.tokenizer, self.stage = model, tokenizer, stage
        self.batches = Batches(tokenizer, stage.seed + 1, model.shape.context, wide=stage.wide)
        self.progress = Progress(round(stage.tokens * scale), time.monotonic())
        fused = [w for b in self.model.blocks for w in ((b.qkv, 3), (b.out, 1), (b.gate_up, 2), (b.down, 1))]
        matrices = [(layer.weight, parts) for layer, parts in fused]
        self.muon = Muon(matrices, decay=DECAY, compute=self.model.compute)
        known = {id(weight) for weight, _ in matrices}
        rest = [p for p in self.model.parameters() if id(p) not in known]
        self.adam = torch.optim.AdamW(rest, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)
        self.checks = questions(8, seed=99)

    def run(self) -> None:
        """Trains until all tokens are seen."""
        progress, next_check = self.progress, CHECK_EVERY_TOKENS
        for batch in self.batches:
            if progress.seen >= progress.total:
                break
            self.step(batch)
            if progress.seen >= progress.shown:
                progress.shown += max(1, min(200_000, progress.total // 10))
                print(progress.line(self.batches.failures.share), flush=True)
            if progress.seen >= next_check:
                next_check += CHECK_EVERY_TOKENS
                self.check()

    def step(self, batch: Batch) -> None:
        """One step on one batch."""
        rate = learning_rate(self.stage, self.progress.steps, self.progress.seen / self.progress.total)
        rows, targets, skill, weight, row_of = chosen(batch)
        hidden = self.model.hidden(batch.ids).flatten(0, 1)[rows]
        logits = self.model.logits(hidden)
        losses = F.cross_entropy(logits, targets, reduction="none")
        self.model.zero_grad(set_to_none=True)
        ((losses * weight).sum() / weight.sum()).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.muon.step(MUON_RATE * rate)
        self.adam.param_groups[0]["lr"] = ADAM_RATE * rate
        self.adam.step()
        in_answer = skill >= 0
        mean = float(losses.detach()[in_answer].mean()) if bool(in_answer.any()) else 0.0
        self.progress.add(int((batch.skill > PROMPT - 1).sum()), mean)
        if self.progress.steps % 3 == 0:
            self._note_failures(logits.detach().argmax(-1) != targets, skill, row_of)

    def _note_failures(self, wrong: Tensor, skill: Tensor, row_of: Tensor) -> None:
        """An answer fails if any of its tokens is wrong."""
        for number in skill[skill >= 0].unique().tolist():
            mine = skill == number
            answers = int(row_of[mine].unique().numel())
            self.batches.failures.note(SKILLS[number], answers, int(row_of[mine & wrong].unique().numel()))

    def check(self) -> None:
        """Prints the exact answers to some held-out questions."""
        results = exact_answers(self.model, self.tokenizer, self.checks)
        failing = [f"{s} {sum(r)}/{len(r)}" for s, r in sorted(results.items()) if not all(r)]
        total = sum(map(sum, results.values()))
        print(f"        held-out {total}/{len(self.checks)}; not all exact: {', '.join(failing) or 'none'}", flush=True)


def chosen(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The places that go into the loss: flat index, next token, its skill, its weight, its row."""
    length = batch.ids.shape[1]
    skill = torch.full_like(batch.skill, PROMPT - 1)
    skill[:, :-1] = batch.skill[:, 1:]
    picked = (skill >= 0) | ((skill == PROMPT) & (torch.rand(skill.shape) < PROMPT_KEPT))
    places = picked.flatten().nonzero().squeeze(1)
    spare = -len(places) % LOSS_ROWS
    places = torch.cat((places, places.new_full((spare,), length - 1)))
    # The last place of a row has no next token; it stands in for the padding, with weight 0.
    following = torch.where(places % length == length - 1, places, places + 1)
    weight = batch.weight.flatten()[following]
    weight[len(weight) - spare :] = 0.0
    return places, batch.ids.flatten()[following], skill.flatten()[places], weight, places // length


def learn_tokenizer(seed: int) -> Tokenizer:
    """The tokenizer, from dialogues of all tasks in equal shares."""
    generator = Generator(seed)
    tasks = [TASKS[number % len(TASKS)] for number in range(DIALOGUES_FOR_TOKENIZER)]
    return bpe.learn([render(generator.dialogue([task]))[0] for task in tasks])


def save(model: Mote, tokenizer: Tokenizer, folder: Path) -> None:
    """Writes mote.pt and tokenizer.json."""
    state = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    torch.save({"shape": model.shape.as_dict(), "weights": state}, folder / "mote.pt")
    tokenizer.save(str(folder / "tokenizer.json"))


def train(out: Path, scale: float) -> None:
    """The whole recipe: tokenizer, all stages, checkpoint."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    print("Learning the tokenizer ...", flush=True)
    tokenizer = learn_tokenizer(SEED)
    torch.manual_seed(SEED)
    model = Mote(Shape(vocab=tokenizer.get_vocab_size()), compute_dtype())
    print(f"{sum(p.numel() for p in model.parameters())} weights, {model.compute} products", flush=True)
    for number, stage in enumerate(STAGES, 1):
        if number > 1:
            torch.manual_seed(stage.seed)
        trainer = Trainer(model, tokenizer, stage, scale)
        print(f"Stage {number} of {len(STAGES)}: {trainer.progress.total} tokens", flush=True)
        trainer.run()
        trainer.check()
        print(f"stage done: {trainer.progress.line(trainer.batches.failures.share)}", flush=True)
    save(model, tokenizer, out)


def main() -> int:
    """Runs the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for mote.pt and tokenizer.json")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full run; 0.002 shows that all works")
    options = parser.parse_args()
    try:
        train(options.out, options.scale)
    except KeyboardInterrupt:
        print("\nStopped; nothing was written. Start again with the same command.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
