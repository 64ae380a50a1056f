"""What is shown of the verbs that a family has once: by `inspect`, by `help`, and in the stub."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from inspect import Parameter
from pathlib import Path

import pytest

import softgrad as sg
from softgrad import losses
from tests.stubs import stub

MEMBERS = dict(sg.registry())
VERBS = [(name, verb) for name, member in MEMBERS.items() for verb in ("__call__", *member.derivatives)]
LOSSES = ["binary_cross_entropy", "cross_entropy", "focal", "kl_divergence", "quadratic"]
# What a verb of a loss takes beside the options of the call.
ADDED = {"__call__": set(), "jvp": set(), "value_and_grad": {"upstream", "out"}, "grad": {"upstream", "out"}}


@pytest.mark.parametrize(("name", "verb"), VERBS)
def test_every_parameter_is_named(name, verb):
    signature = inspect.signature(getattr(MEMBERS[name], verb))
    for parameter in signature.parameters.values():
        assert parameter.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL), parameter
        assert parameter.annotation is not Parameter.empty, parameter
    assert signature.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", LOSSES)
def test_every_verb_of_a_loss_has_the_options_of_the_call(name):
    member = MEMBERS[name]

    def by_name(verb):
        parameters = inspect.signature(getattr(member, verb)).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is Parameter.KEYWORD_ONLY}

    options = by_name("__call__")
    assert {"reduction", "normalizer"} < set(options)
    assert Parameter.empty not in options.values()
    for verb in member.derivatives:
        added = ADDED.get(verb, {"upstream"}) | ({"out"} if (name, verb) == ("cross_entropy", "hvp") else set())
        assert by_name(verb) == options | dict.fromkeys(added), verb


def test_a_signature_as_it_is_read():
    parameters = list(inspect.signature(sg.quadratic.grad).parameters)
    assert parameters == ["outputs", "targets", "axis", "sample_weight", "upstream", "out", "reduction", "normalizer"]
    assert inspect.signature(sg.focal.hessian).return_annotation == "Floating"
    assert inspect.signature(sg.kl_divergence.hessian).return_annotation == "DiagonalPlusRankOne"


@pytest.mark.parametrize(("name", "verb"), VERBS)
def test_no_word_of_a_family_is_left(name, verb):
    documentation = getattr(MEMBERS[name], verb).__doc__ or ""
    for word in ("formula", "name", "hessian", "inputs", "targets"):
        assert f"{{{word}}}" not in documentation


def test_the_formula_and_the_names_are_those_of_the_member():
    assert "of the outputs: <a - y, v> of each row" in sg.quadratic.jvp.__doc__
    assert "of the logits: f' <p - onehot(t), v> of each row" in sg.focal.jvp.__doc__
    assert "by log_softmax(x) is `cotangent`: (g - p * sum(g)) / temperature" in sg.log_softmax.vjp.__doc__
    assert sg.quadratic.jvp.__qualname__ == "Quadratic.jvp"
    assert sg.quadratic.jvp.__func__ is not sg.focal.jvp.__func__


def test_a_python_without_docstrings_has_the_functions():
    program = (
        "import inspect, softgrad as sg; print(sg.focal.grad.__doc__, *inspect.signature(sg.sigmoid.vjp).parameters)"
    )
    finished = subprocess.run([sys.executable, "-OO", "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.split() == ["None", "x", "cotangent"]


@pytest.mark.parametrize("name", LOSSES)
def test_an_option_that_a_loss_has_not_is_named(name):
    for verb in ("__call__", *MEMBERS[name].derivatives):
        vector = ([0.0, 0.0],) if verb in ("jvp", "hvp") else ()
        with pytest.raises(TypeError, match="'margin'"):
            getattr(MEMBERS[name], verb)([0.0, 0.0], 1, *vector, margin=1.0)


def test_the_stub_is_that_of_the_code():
    written = Path(losses.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(stub())), "write it again: see tests/stubs.py"
