"""A causal language model of transformers, plain and patched: memory and time of its training.

A small random Llama learns the documentation of Python's standard library, whose words are its vocabulary: so many
that the logits are most of what a step holds. `softgrad.torch.patch` lets it do without them. Each training runs in a
process of its own, which says how far its resident memory rises above the model; that is read from /proc, as Linux has
it.
"""

from __future__ import annotations

import multiprocessing
import re
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from transformers.models.llama import LlamaConfig, LlamaForCausalLM

import softgrad.torch as sgt
from softgrad.examples._experiment import Array, Labels, Table, main
from softgrad.examples.language_model import docstrings, read

WIDTH, LAYERS, HEADS = 64, 2, 4
ROWS, LENGTH, STEPS, RATE, SEED = 8, 128, 12, 0.003, 0
MIB = 1 << 20
PROCESS = Path("/proc/self")


@dataclass(frozen=True)
class Training:
    """Of each step its loss and how many seconds it took; how many bytes memory rose above what the model takes."""

    losses: Array
    seconds: Array
    memory: int


@dataclass(frozen=True)
class HuggingFace:
    """The same training twice."""

    vocabulary: int
    trainings: dict[str, Training]

    def tables(self) -> list[Table]:
        return [
            Table(
                f"a Llama of width {WIDTH} over {self.vocabulary} words; steps of {ROWS} texts of {LENGTH} words, "
                "the quickest of each training",
                {
                    "": "",
                    "seconds a step": ".2f",
                    "MiB above the model": ".0f",
                    "first loss": ".5f",
                    "last loss": ".5f",
                },
                [
                    (
                        name,
                        float(training.seconds.min()),
                        training.memory / MIB,
                        float(training.losses[0]),
                        float(training.losses[-1]),
                    )
                    for name, training in self.trainings.items()
                ],
            )
        ]

    def draw(self, figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3, width_ratios=[2, 2, 3])
        seconds = {name: float(training.seconds.min()) for name, training in self.trainings.items()}
        draw_bars(left, seconds, "seconds a step", "{:.2f}")
        memory = {name: training.memory / MIB for name, training in self.trainings.items()}
        draw_bars(middle, memory, "MiB above the model", "{:.0f}")
        for (name, training), style in zip(self.trainings.items(), ("-", "--"), strict=True):
            steps = np.arange(1, len(training.losses) + 1)
            right.plot(steps, training.losses, style, label=name, linewidth=3.0 if style == "-" else 1.5)
        right.set_title("The same losses")
        right.set_xlabel("step")
        right.set_ylabel("loss")
        right.margins(y=0.3)
        right.legend(loc="upper right")
        right.grid(alpha=0.3)


def draw_bars(axes: Axes, values: dict[str, float], title: str, form: str) -> None:
    bars = axes.bar(list(values), list(values.values()), color=["tab:blue", "tab:orange"])
    axes.bar_label(bars, [form.format(value) for value in values.values()], padding=3)
    axes.set_title(title)
    axes.margins(y=0.15)


def train(words: Labels, vocabulary: int, steps: int, patched: bool) -> Training:
    """Make the model, and teach it the first words, some texts a step."""
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=LENGTH,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = LlamaForCausalLM(config)
    model.train()
    if patched:
        sgt.patch(model)
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    texts = torch.from_numpy(words[: steps * ROWS * LENGTH]).reshape(steps, ROWS, LENGTH)
    # What the optimizer and the gradients take, the model takes as well: a step of theirs comes before.
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    before = start_of_peak()
    losses, seconds = [], []
    for ids in texts:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=False)
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
    return Training(np.array(losses), np.array(seconds), resident("VmHWM") - before)


def start_of_peak() -> int:
    """The bytes that are resident, which the highest number of them is set back to."""
    (PROCESS / "clear_refs").write_text("5")
    return resident("VmRSS")


def resident(figure: str) -> int:
    found = re.search(rf"^{figure}:\s+(\d+) kB$", (PROCESS / "status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"/proc/self/status has no {figure}")
    return 1024 * int(found[1])


def compare(texts: list[str], steps: int) -> HuggingFace:
    """Train both, each in a process of its own."""
    text = read(texts)
    trainings = {}
    for name, patched in (("plain", False), ("patched", True)):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            trainings[name] = pool.apply(train, (text.next, len(text.words), steps, patched))
    return HuggingFace(len(text.words), trainings)


def run() -> HuggingFace:
    """Learn from the documentation of this Python's standard library."""
    return compare(list(docstrings(Path(sysconfig.get_path("stdlib")))), STEPS)


if __name__ == "__main__":
    main(__file__, __doc__, run)
