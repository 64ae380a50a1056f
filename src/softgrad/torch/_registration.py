"""Operators of PyTorch's dispatcher: the one file that knows private names of torch.

`custom_op` of torch has no forward mode (its tangents are 0 without a word), and a `torch.autograd.Function`
around an operator loses its derivatives where torch.func is compiled. So each operator has a kernel of its own for
autograd, which has both modes, at every level of torch.func.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import _C, library
from torch._functorch.autograd_function import custom_function_call_vmap_helper
from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad

from softgrad.torch._threads import within_torch_threads

NAMESPACE = "softgrad"
LIBRARY: Any = library.Library(NAMESPACE, "FRAGMENT")  # type: ignore[no-untyped-call]
TAGS = (torch.Tag.pt2_compliant_tag, torch.Tag.needs_exact_strides)

Kernel = Callable[..., Any]
R = TypeVar("R")
_TYPES = (torch.Tensor, torch.nn.Parameter)
# Whether it is one that `is_grads_batched` hands to a backward, of which `is_transformed` knows nothing.
_is_batch = _C._functorch.is_legacy_batchedtensor

# Given the arguments, for each whether its gradient is asked for, and the cotangents: a gradient for each, or None.
Backward = Callable[..., Sequence[torch.Tensor | None]]
# Given the arguments, and for each its tangent or None: the tangent of the result.
Forward = Callable[[Sequence[Any], Sequence[torch.Tensor | None]], Any]


class Operator(Generic[R]):
    """An operator of functions of tensors, with its derivatives.

    Parameters
    ----------
    schema : str
        As in ``softmax(Tensor x, int dim) -> Tensor``, without defaults. Tensors, which autograd saves, stand first.
    cpu : callable
        Works on the arguments of the schema. May not return one of them.
    fake : callable
        The shapes and dtypes of what `cpu` returns.
    vmap : callable
        Given the batch size, the batch dimension of each argument or None, and the arguments: the results, and the
        batch dimension of each.
    backward, jvp : callable
        Derivatives, made of operators that have derivatives.
    of_result : bool, default False
        Both are given the result in the place of the first argument, which is not kept.
    """

    def __init__(
        self,
        schema: str,
        *,
        cpu: Kernel,
        fake: Kernel,
        vmap: Kernel,
        backward: Backward,
        jvp: Forward,
        of_result: bool = False,
    ):
        name = schema.split("(")[0]
        LIBRARY.define(schema, tags=TAGS)
        self._kernel = within_torch_threads(cpu)
        self._overload = getattr(getattr(torch.ops, NAMESPACE), name).default
        kept = _Kept(self._overload, of_result)
        self._tensors = kept.tensors
        self._apply = _plain_apply(name, self._kernel, kept, backward)
        LIBRARY.impl(name, self._kernel, "CPU")
        library.register_fake(f"{NAMESPACE}::{name}", fake, lib=LIBRARY)
        LIBRARY.impl(name, _autograd_kernel(name, self._overload, kept, backward, jvp), "Autograd", with_keyset=True)

        def batched(_: Any, *arguments: Any) -> Any:
            interpreter: Any = retrieve_current_functorch_interpreter()
            return custom_function_call_vmap_helper(interpreter, of_batch, self._overload, *arguments)

        def of_batch(info: Any, in_dims: Sequence[Any], *arguments: Any) -> Any:
            return vmap(info.batch_size, in_dims, *arguments)

        LIBRARY.impl(name, batched, "FuncTorchBatched", with_keyset=True)

    def __call__(self, *arguments: Any) -> R:
        tensors = arguments[: self._tensors]
        result: R
        if not is_plain(*tensors):
            result = self._overload(*arguments)
        elif torch.is_grad_enabled() and _C._any_requires_grad(*tensors):
            result = self._apply(*arguments)
        else:
            result = self._kernel(*arguments)
        return result


def is_plain(*tensors: torch.Tensor | None) -> bool:
    """Whether a call may go past the dispatcher, which costs more than a small call has to spend.

    There is no transform, no tracing and no mode, and the tensors are of torch's own types.
    """
    if torch.compiler.is_compiling() or is_transformed():
        return False
    # A generator would be felt in a small call.
    for each in tensors:  # noqa: SIM110
        if each is not None and (type(each) not in _TYPES or _is_batch(each)):
            return False
    return True


def is_transformed() -> bool:
    """Whether a level of torch.func, of forward mode or of dispatch is active: only the dispatcher sees all of these.

    Tangents cannot be asked for: `unpack_dual` does not find those of outer levels.
    """
    return (
        _C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or _C._len_torch_dispatch_stack() > 0
        or _C._len_torch_function_stack() > 0
    )


def accumulates(leaf: torch.Tensor) -> bool:
    """Whether the backward that runs adds to the `.grad` of a leaf."""
    node = torch.autograd.graph.get_gradient_edge(leaf).node
    try:
        return _C._will_engine_execute_node(node)
    except RuntimeError as error:
        raise NotImplementedError("accumulate_grad adds to .grad: torch.autograd.grad has nothing to return") from error


def has_hooks(leaf: torch.Tensor) -> bool:
    """Whether something is called with the gradient of a leaf, or once it has been added up."""
    return bool(leaf._backward_hooks) or bool(leaf._post_accumulate_grad_hooks)


class _Kept:
    """What an operator keeps of a call for its derivatives: the arguments, the first perhaps replaced by the result."""

    def __init__(self, overload: Any, of_result: bool) -> None:
        self.tensors = sum("Tensor" in str(each.type) for each in overload._schema.arguments)
        self._of_result = of_result

    def save(self, ctx: Any, arguments: Sequence[Any], result: Any) -> Sequence[torch.Tensor | None]:
        tensors = arguments[: self.tensors]
        if self._of_result:
            tensors = (result, *tensors[1:])
        ctx.save_for_backward(*tensors)
        ctx.others = arguments[self.tensors :]
        # What has no tangent is given as None, not as 0: it may have no derivative at all.
        ctx.set_materialize_grads(False)
        return tensors


def _gradients(
    ctx: Any, rule: Backward, needs: Sequence[bool], cotangents: Sequence[torch.Tensor | None]
) -> tuple[torch.Tensor | None, ...]:
    """The gradients by all arguments."""
    # A generator would be felt in a small call.
    for each in cotangents:
        if each is not None:
            break
    else:
        return (None,) * len(needs)
    # Read once: the hooks of checkpointing allow no second look.
    gradients = rule((*ctx.saved_tensors, *ctx.others), needs, *cotangents)
    return (*gradients, *(None,) * (len(needs) - len(gradients)))


def _plain_apply(name: str, kernel: Kernel, kept: _Kept, rule: Backward) -> Callable[..., Any]:
    def forward(ctx: Any, *arguments: Any) -> Any:
        result = kernel(*arguments)
        kept.save(ctx, arguments, result)
        return result

    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        return _gradients(ctx, rule, ctx.needs_input_grad, cotangents)

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    function: Any = type(f"softgrad_plain_{name}", (torch.autograd.Function,), members)
    apply: Callable[..., Any] = function.apply
    return apply


def _autograd_kernel(name: str, overload: Any, kept: _Kept, backward_rule: Backward, jvp_rule: Forward) -> Kernel:
    def forward(ctx: Any, keyset: Any, *arguments: Any) -> Any:
        # A Function works with both modes off, which the lower levels of torch.func would inherit.
        with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True), _C._AutoDispatchBelowAutograd():
            result = overload.redispatch(keyset & _C._after_autograd_keyset, *arguments)
            ctx.save_for_forward(*kept.save(ctx, arguments, result))
        return result

    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        return None, *_gradients(ctx, backward_rule, ctx.needs_input_grad[1:], cotangents)

    def jvp(ctx: Any, _: Any, *tangents: torch.Tensor | None) -> Any:
        # A Function's jvp is called with forward mode off: the tangents of outer levels would be lost. With it on, what
        # was saved must lose the tangents of this level, and keep theirs.
        with forward_ad._set_fwd_grad_enabled(True):
            primals = [None if each is None else torch._VF._unpack_dual(each, level=0)[0] for each in ctx.saved_tensors]
            return jvp_rule((*primals, *ctx.others), tangents)

    # Not of _SingleLevelFunction, which compiled autograd does not know.
    function: Any = type(
        f"softgrad_{name}",
        (torch.autograd.Function,),
        {"forward": staticmethod(forward), "backward": staticmethod(backward), "jvp": staticmethod(jvp)},
    )
    # That of the base: Function.apply asks for setup_context wherever torch.func is active, also within a level.
    apply = super(torch.autograd.Function, function).apply

    def kernel(keyset: Any, *arguments: Any) -> Any:
        if not is_transformed() and not (torch.is_grad_enabled() and _C._any_requires_grad(*arguments)):
            with _C._AutoDispatchBelowAutograd():
                return overload.redispatch(keyset & _C._after_autograd_keyset, *arguments)
        with enable_single_level_autograd_function():
            return apply(keyset, *arguments)

    return kernel
