"""What torch's own suite asks of a module, beside the numbers it gives."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from tests.torch.outside.agreement import as_listed
from tests.torch.outside.samples import CLASSES, Sample, refused_samples_of, samples_of

pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both the batch size")

modules = pytest.mark.parametrize("name", CLASSES)


def samples(name: str) -> Iterator[tuple[Sample, nn.Module, nn.Module]]:
    """What is taken of the samples, with the modules of softgrad and of torch for it."""
    for sample in samples_of(name, torch.float64):
        rest = as_listed(sample)
        assert rest is not None
        taken, _ = rest
        print(taken)
        ours, theirs = CLASSES[name]
        yield taken, ours(**taken.options), theirs(**taken.options)


def same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0.0, atol=0.0, equal_nan=True)


@modules
def test_copies_and_pickles_give_the_same_bits(name: str) -> None:
    for sample, module, _ in samples(name):
        expected = module(*sample.arguments)
        same(copy.deepcopy(module)(*sample.arguments), expected)
        same(pickle.loads(pickle.dumps(module))(*sample.arguments), expected)


@modules
def test_they_are_shown_as_those_of_torch(name: str) -> None:
    for _, ours, theirs in samples(name):
        assert repr(ours) == repr(theirs)


@modules
def test_states_are_exchanged_with_torch(name: str) -> None:
    for sample, ours, theirs in samples(name):
        expected = ours(*sample.arguments)
        # The two have their buffers in common with the sample.
        other = copy.deepcopy(ours)
        for buffer in other.buffers():
            buffer.zero_()
        other.load_state_dict(theirs.state_dict(), strict=True)
        same(other(*sample.arguments), expected)
        theirs.load_state_dict(other.state_dict(), strict=True)


@modules
def test_training_and_evaluation_are_the_same(name: str) -> None:
    for sample, module, _ in samples(name):
        same(module.eval()(*sample.arguments), module.train()(*sample.arguments))


@modules
def test_buffers_change_their_dtype(name: str) -> None:
    for sample, module, _ in samples(name):
        expected = module(*sample.arguments)
        narrow = copy.deepcopy(module).to(torch.float32)
        assert {each.dtype for each in narrow.buffers()} <= {torch.float32}
        result = narrow(*sample.to(torch.float32).arguments)
        assert result.dtype is torch.float32
        assert result.shape == expected.shape


def test_what_torch_refuses_is_refused() -> None:
    refused = refused_samples_of("nn.CrossEntropyLoss")
    assert refused
    ours, _ = CLASSES["nn.CrossEntropyLoss"]
    for sample in refused:
        print(sample)
        with pytest.raises((TypeError, ValueError), match=r"labels|class_weight|ignore_index|label_smoothing"):
            ours(**sample.options)(*sample.arguments)
