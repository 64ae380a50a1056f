"""Causal language models of transformers with softgrad's loss: the same losses and gradients, and nothing else changed.

The models are small, random, and made on the spot.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM, AutoModelForMaskedLM
from transformers.models.auto.modeling_auto import AutoModelForSequenceClassification as Classifier

import softgrad.torch as sgt
from softgrad.torch._deferred_logits import DeferredLogits
from tests.oracles.inputs import fresh_rng

EPS = torch.finfo(torch.float32).eps
VOCABULARY, WIDTH = 97, 16
SMALL = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
LAYERS = {"hidden_size": WIDTH, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = SMALL | LAYERS | {"num_key_value_heads": 2}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("llama", GROUPED | {"tie_word_embeddings": False}),
    "Llama, tied": ("llama", GROUPED | {"tie_word_embeddings": True}),
    "Qwen 2": ("qwen2", GROUPED | {"tie_word_embeddings": True}),
    "GPT-2, tied": (
        "gpt2",
        SMALL
        | {"n_embd": WIDTH, "n_layer": 2, "n_head": 2}
        | dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0),
    ),
    "Gemma 2, a softcap": ("gemma2", GROUPED | {"head_dim": 4, "final_logit_softcapping": 0.3}),
    "Cohere, multiplied": ("cohere", GROUPED | {"logit_scale": 4.0}),
    "Granite, divided": ("granite", GROUPED | {"logits_scaling": 0.2}),
    "Mixtral, a second loss": ("mixtral", GROUPED | {"num_local_experts": 3, "output_router_logits": True}),
    "Phi, a bias": ("phi", SMALL | LAYERS),
}
families = pytest.mark.parametrize("family", FAMILIES)


def random_model(family: str, kind: Any = AutoModelForCausalLM, dtype: torch.dtype = torch.float32) -> Any:
    name, options = FAMILIES[family]
    torch.manual_seed(int(fresh_rng().integers(2**31)))
    model = kind.from_config(AutoConfig.for_model(name, **options)).to(dtype).train()
    with torch.no_grad():
        for parameter in model.parameters():
            # As they are made logits are nearly 0, and biases are.
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def batch() -> dict[str, Tensor]:
    """Texts of two lengths, the first words of which are a prompt."""
    ids = torch.randint(3, VOCABULARY, (3, 10))
    labels = ids.clone()
    labels[:, :3] = -100
    labels[1, 7:] = -100
    return {"input_ids": ids, "labels": labels}


@contextmanager
def patched(model: Any) -> Iterator[Any]:
    assert sgt.patch(model) is model
    try:
        yield model
    finally:
        assert sgt.unpatch(model) is model


def derived(model: Any, **given: Any) -> tuple[Any, dict[str, Tensor]]:
    """What it returns, and the gradients of all its parameters."""
    model.zero_grad()
    output = model(**given)
    output.loss.backward()
    return output, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def assert_same_training(model: Any, units: float = 64.0, eps: float = EPS, **given: Any) -> Any:
    plain, expected = derived(model, **given)
    with patched(model):
        output, gradients = derived(model, **given)
    assert float(plain.loss.detach()) > 0.5
    # The rounding of a perplexity is that of its loss.
    perplexities = [torch.exp(each.loss.detach()) for each in (output, plain)]
    assert abs(perplexities[0] - perplexities[1]) <= units * eps * plain.loss.detach() * perplexities[1]
    assert gradients.keys() == expected.keys()
    largest = max(float(each.abs().max()) for each in expected.values())
    for name, each in expected.items():
        assert float((gradients[name] - each).abs().max()) <= units * eps * largest, name
    return output


@families
def test_losses_and_gradients(family: str) -> None:
    model, given = random_model(family), batch()
    plain = model(**given)
    output = assert_same_training(model, **given)
    assert output.keys() == plain.keys()
    assert isinstance(output.logits, DeferredLogits)
    assert output.logits.made is None


@pytest.mark.parametrize("family", ["Llama, tied", "Gemma 2, a softcap"])
@pytest.mark.parametrize("number", [torch.tensor(50), 50, 12.5], ids=repr)
def test_the_number_of_items_of_several_batches(family: str, number: Any) -> None:
    model, given = random_model(family), batch()
    assert_same_training(model, **given, num_items_in_batch=number)
    with patched(model):
        assert model(**given, num_items_in_batch=number).loss != model(**given).loss


def test_labels_that_are_shifted_already() -> None:
    model, given = random_model("Llama"), batch()
    shifted = torch.nn.functional.pad(given["labels"], (0, 1), value=-100)[:, 1:]
    with patched(model):
        loss = model(**given).loss
        assert torch.equal(model(**given, shift_labels=shifted).loss, loss)
        assert not torch.equal(model(**given, shift_labels=given["labels"]).loss, loss)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("family", ["Llama", "GPT-2, tied", "Gemma 2, a softcap"])
def test_evaluation(family: str, mode: Any) -> None:
    """The perplexity without gradients, and the logits of it."""
    model, given = random_model(family).eval(), batch()
    with mode():
        plain = model(**given)
        with patched(model):
            output = model(**given)
            perplexity, expected = torch.exp(output.loss), torch.exp(plain.loss)
            assert abs(perplexity - expected) <= 64 * EPS * plain.loss * expected
            assert output.logits.made is None
            assert torch.equal(output.logits, plain.logits)
            assert torch.equal(model(given["input_ids"], return_dict=False)[0], plain.logits)
            assert type(model(given["input_ids"]).logits) is Tensor


@families
def test_logits_are_made_when_they_are_read(family: str) -> None:
    model, given = random_model(family), batch()
    plain = model(**given)
    (expected,) = torch.autograd.grad((plain.logits**2).sum(), model.get_input_embeddings().weight)
    with patched(model):
        output = model(**given)
        logits = output.logits
        assert (logits.shape, logits.dtype, logits.ndim, len(logits)) == (plain.logits.shape, torch.float32, 3, 3)
        assert logits.device.type == "cpu"
        assert logits.made is None
        with torch.no_grad():
            # Wherever they are made, they are of the call.
            assert torch.equal(logits.argmax(-1), plain.logits.argmax(-1))
        assert torch.equal(torch.cat([logits, logits]), torch.cat([plain.logits] * 2))
        (gradient,) = torch.autograd.grad((logits**2).sum(), model.get_input_embeddings().weight)
        assert torch.equal(gradient, expected)
    assert type(logits.detach()) is Tensor


def test_logits_of_weights_that_have_changed_are_refused() -> None:
    model, given = random_model("Llama, tied"), batch()
    with patched(model):
        output = model(**given)
        output.loss.backward()
        torch.optim.SGD(model.parameters(), 0.1).step()
        with pytest.raises(RuntimeError, match="the weights of their head have changed since"):
            output.logits.argmax(-1)


@pytest.mark.parametrize(
    "family", [name if name.startswith("Llama") else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_generation(family: str) -> None:
    model = random_model(family).eval()
    ids = batch()["input_ids"]

    def text() -> Tensor:
        return model.generate(ids, max_new_tokens=8, do_sample=False, attention_mask=torch.ones_like(ids))

    expected = text()
    with patched(model):
        assert torch.equal(text(), expected)


def state(model: Any) -> list[tuple[str, Any]]:
    """All that the modules of a model hold and are, but for containers that are the same when empty."""
    return [
        (f"{name}.{attribute}", value if isinstance(value, (bool, int, str, type(None))) else repr(value))
        for name, module in model.named_modules()
        for attribute, value in (("class", type(module)), *sorted(vars(module).items()))
    ]


@pytest.mark.parametrize("family", ["Llama", "GPT-2, tied"])
def test_unpatch_restores_exactly(family: str) -> None:
    model, given = random_model(family), batch()
    before, values = state(model), {name: each.clone() for name, each in model.state_dict().items()}
    loss = model(**given).loss
    head = model.get_output_embeddings()
    with patched(model):
        model(**given)
        assert state(model) != before
        assert model.state_dict().keys() == values.keys()
        assert all(torch.equal(each, values[name]) for name, each in model.state_dict().items())
        assert isinstance(head, torch.nn.Linear)
    assert state(model) == before
    assert torch.equal(model(**given).loss, loss)
    assert type(model(**given).logits) is Tensor
    own = model.loss_function
    model.loss_function = own
    before = state(model)
    with patched(model):
        pass
    assert state(model) == before


def test_copies_are_patched_for_themselves() -> None:
    model, given = random_model("Llama"), batch()
    loss = model(**given).loss
    sgt.patch(model)
    other = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    sgt.unpatch(model)
    for each in (other, loaded):
        with torch.no_grad():
            each.get_output_embeddings().weight.zero_()
        output = each(**given)
        assert isinstance(output.logits, DeferredLogits)
        uniform = torch.log(torch.tensor(float(VOCABULARY)))
        assert abs(output.loss.detach() - uniform) <= 8 * EPS * uniform
        sgt.unpatch(each)
        assert type(each(**given).logits) is Tensor
    assert torch.equal(model(**given).loss, loss)


def test_two_bytes_and_autocast() -> None:
    eps = torch.finfo(torch.bfloat16).eps
    given = batch()
    assert_same_training(random_model("Llama, tied", dtype=torch.bfloat16), units=4.0, eps=eps, **given)
    model = random_model("Gemma 2, a softcap")
    with torch.autocast("cpu", torch.bfloat16):
        plain = model(**given)
        with patched(model):
            output = model(**given)
    assert output.loss.dtype is torch.float32
    assert abs(output.loss.detach() - plain.loss.detach()) <= 4 * eps * plain.loss.detach()
    assert output.logits.dtype is plain.logits.dtype
    assert torch.equal(output.logits, plain.logits)


def test_gradient_checkpointing() -> None:
    model = random_model("Llama, tied")
    model.activation_checkpointing_enable()
    assert_same_training(model, use_cache=False, **batch())


@pytest.mark.slow
def test_compiled() -> None:
    model, given = random_model("Llama, tied"), batch()
    plain, expected = derived(model, **given)
    with patched(model):
        torch._dynamo.reset()
        model.zero_grad()
        output = torch.compile(model, backend="aot_eager")(**given)
        output.loss.backward()
        assert abs(output.loss.detach() - plain.loss.detach()) <= 64 * EPS * plain.loss.detach()
        largest = max(float(each.abs().max()) for each in expected.values())
        for name, parameter in model.named_parameters():
            assert float((parameter.grad - expected[name]).abs().max()) <= 64 * EPS * largest


def test_a_model_that_writes_to_its_logits() -> None:
    """The loss is of what it has written."""
    model, given = random_model("Llama"), batch()
    head = model.get_output_embeddings()

    def forbid(_: Any, __: Any, logits: Tensor) -> Tensor:
        logits[..., 5] = -20.0
        return logits

    head.register_forward_hook(forbid)
    output = assert_same_training(model, **given)
    assert output.logits.made is not None
    assert bool((output.logits[..., 5] == -20.0).all())


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no model": (lambda: torch.nn.Linear(2, 3), "Linear is no model of transformers"),
    "another loss": (
        lambda: random_model("Llama", Classifier),
        "LlamaForSequenceClassification has the loss ForSequenceClassificationLoss",
    ),
    "a masked language model": (
        lambda: AutoModelForMaskedLM.from_config(AutoConfig.for_model("bert", **SMALL, **LAYERS)),
        "BertForMaskedLM has the loss ForMaskedLMLoss",
    ),
    "no head": (lambda: random_model("Llama").model, "the head of LlamaModel is of NoneType"),
    "another head": (
        lambda: with_head(random_model("Llama"), torch.nn.Sequential(torch.nn.Linear(WIDTH, VOCABULARY))),
        r"the head of LlamaForCausalLM is of Sequential; it must be a torch\.nn\.Linear",
    ),
}


def with_head(model: Any, head: torch.nn.Module) -> Any:
    model.set_output_embeddings(head)
    return model


@pytest.mark.parametrize("case", REFUSED)
def test_other_models_are_refused_and_left_alone(case: str) -> None:
    make, message = REFUSED[case]
    model = make()
    before = state(model)
    with pytest.raises(TypeError, match=message):
        sgt.patch(model)
    assert state(model) == before


def test_twice_and_never() -> None:
    model = random_model("Llama")
    with pytest.raises(ValueError, match="LlamaForCausalLM is not patched"):
        sgt.unpatch(model)
    with patched(model), pytest.raises(ValueError, match="LlamaForCausalLM is patched already"):
        sgt.patch(model)


def test_a_loss_past_the_loss_function_is_an_error() -> None:
    model = random_model("Llama")
    inner = model.forward

    def forward(input_ids: Tensor, labels: Tensor | None = None) -> Any:
        output = inner(input_ids)
        if labels is not None:
            output.loss = torch.nn.functional.cross_entropy(output.logits.flatten(0, 1), labels.flatten())
        return output

    model.forward = forward
    given = batch()
    with patched(model):
        with pytest.raises(RuntimeError, match=r"LlamaForCausalLM works out its loss past model\.loss_function"):
            model(given["input_ids"], given["labels"])
        # The error of a call is its own.
        with pytest.raises(TypeError, match="unexpected keyword"):
            model(given["input_ids"], labels=given["labels"], unknown=1)
        assert type(model(given["input_ids"]).logits) is Tensor


def test_a_vocabulary_that_is_not_that_of_the_head() -> None:
    model, given = random_model("Llama"), batch()
    model.config.vocab_size = 100
    with patched(model), pytest.raises(ValueError, match="logits have 97 classes; the vocabulary of the model has 100"):
        model(**given)


def test_no_label_that_counts() -> None:
    model, given = random_model("Llama"), batch()
    given["labels"] = torch.full_like(given["labels"], -100)
    assert torch.isnan(model(**given).loss)
    with patched(model):
        output, gradients = derived(model, **given)
    assert float(output.loss.detach()) == 0.0
    assert all(float(each.abs().max()) == 0.0 for each in gradients.values())
