"""The tests see what they are there to see: each well-known mistake, built into the native core, makes tests fail.

The sources are copied, and a core is built that has all mistakes in it, for the instruction set in use here. The tests
named beside a mistake run against it in a process of their own, in which that one is made. Where none is, they pass.
"""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.oracles import exact
from tests.oracles.bounds import LOGSUMEXP
from tests.oracles.inputs import fresh_rng
from tests.oracles.ulp import assert_within
from tests.shared import made_once
from tests.workshop import ROOT, Mutation, Workshop

ROWS = "tests/functional/test_accuracy.py::"
LOSS = "tests/losses/test_cross_entropy_accuracy.py::"
EDGE = "tests/losses/test_cross_entropy_edge_cases.py::"


MUTATIONS = [
    Mutation(
        "log(1 + R) for log1p(R)",
        "cpp/kernels/arithmetic/normalization.hpp",
        "TwoParts<V> result = log1p(rest.high, inverse);",
        "TwoParts<V> result = log1p(MISTAKE ? (1.0 + rest.high) - 1.0 : rest.high, inverse);",
        (ROWS + "test_every_length", LOSS + "test_every_length"),
    ),
    Mutation(
        "the same of float",
        "cpp/kernels/arithmetic/normalization.hpp",
        "return {log1p_in_one(rest.high), V{}};",
        "return {log1p_in_one(MISTAKE ? (1.0 + rest.high) - 1.0 : rest.high), V{}};",
        (LOSS + "test_every_length",),
    ),
    Mutation(
        "p - 1 for -R / (1 + R) at a label that is the maximum",
        "cpp/kernels/packs.hpp",
        "return maximal == 1.0 ? 0.0 - r / (1.0 + r) : p - 1.0;",
        "return MISTAKE ? p - 1.0 : maximal == 1.0 ? 0.0 - r / (1.0 + r) : p - 1.0;",
        (LOSS + "test_every_length",),
    ),
    Mutation(
        "p - 1 for -R / (1 + R) with probability labels",
        "cpp/kernels/rows/soft_cross_entropy.hpp",
        "if (row.maxima == 1 && row.rest < 1.0)",
        "if (!MISTAKE && row.maxima == 1 && row.rest < 1.0)",
        (LOSS + "test_one_hot_rows_give_the_loss_of_their_index",),
    ),
    Mutation(
        "p - 1 for -R / (1 + R) with probability labels of few classes",
        "cpp/kernels/tiles/soft_cross_entropy.hpp",
        "(certain ? where_certain : uncertain)",
        "(MISTAKE ? uncertain : certain ? where_certain : uncertain)",
        (LOSS + "test_one_hot_rows_give_the_loss_of_their_index",),
    ),
    Mutation(
        "lane sums of double in one part",
        "cpp/kernels/arithmetic/lane_sums.hpp",
        "sum = {high.high, sum.low + (high.low + other.low)};",
        "sum = {high.high, sum.low + (MISTAKE ? other.low : high.low + other.low)};",
        (LOSS + "test_very_many_probability_labels_that_are_all_alike",),
    ),
    Mutation(
        "x - m rounded before the exponential",
        "cpp/kernels/arithmetic/exp_log.hpp",
        "const Mask<T> near = (maxima > -C::direct_limit) & (maxima < C::direct_limit);",
        "const Mask<T> near = MISTAKE ? maxima != maxima : (maxima > -C::direct_limit) & (maxima < C::direct_limit);",
        (ROWS + "test_every_length",),
    ),
    Mutation(
        "one constant for ln 2",
        "cpp/kernels/arithmetic/exp_log.hpp",
        "static constexpr float log2e = 0x1.715476p+0f, ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;",
        "static constexpr float log2e = 0x1.715476p+0f;\n"
        "static inline const float ln2_high = MISTAKE ? 0x1.62e43p-1f : 0x1.62e4p-1f;\n"
        "static inline const float ln2_low = MISTAKE ? 0.0f : 0x1.7f7d1cp-20f;",
        (ROWS + "test_every_length",),
    ),
    Mutation(
        "subnormal exponentials flushed to zero",
        "cpp/kernels/arithmetic/exp_log.hpp",
        "result[i].scale = power_of_two(shifted[i]);",
        "result[i].scale = power_of_two(shifted[i]);\n"
        "if (MISTAKE && sizeof(T) == 4) result[i].scale = y[i] < origin.lowest + T(45) ? Vec<T>{} : result[i].scale;\n"
        "if (MISTAKE && sizeof(T) == 8) result[i].scale = y[i] < origin.lowest + T(178) ? Vec<T>{} : result[i].scale;",
        (ROWS + "test_every_length",),
    ),
    Mutation(
        "the residues of the exponentials left out of their sum",
        "cpp/kernels/arithmetic/bounded_sum.hpp",
        "fma(e.u, e.scale, e.scale - (next - sum))",
        "(MISTAKE ? e.value - (next - sum) : fma(e.u, e.scale, e.scale - (next - sum)))",
        ("tests/test_mutations.py::test_logsumexp_of_two_classes_in_very_many_rows",),
    ),
    Mutation(
        "what the rounding of u took away left out of the sums of double",
        "cpp/kernels/arithmetic/bounded_sum.hpp",
        "error = fma(e.u_error, e.scale, error);",
        "error = MISTAKE ? error : fma(e.u_error, e.scale, error);",
        ("tests/test_mutations.py::test_logsumexp_of_two_classes_in_very_many_rows",),
    ),
    Mutation(
        "what the sums of bounded exponentials round away left out",
        "cpp/kernels/arithmetic/bounded_sum.hpp",
        "fma(e.u, e.scale, e.scale - (next - sum))",
        "(MISTAKE ? fma(e.u, e.scale, e.scale - e.value) : fma(e.u, e.scale, e.scale - (next - sum)))",
        (ROWS + "test_a_long_row", ROWS + "test_a_row_of_a_million"),
    ),
    Mutation(
        "sums of exponentials that begin at the maximum of the row, far above the others",
        "cpp/kernels/rows/row_to_sum.hpp",
        "bound_at(origins, pack.second)",
        "bound_at(origins, MISTAKE ? pack.maximum : pack.second)",
        (LOSS + "test_very_many_logits_far_below_the_second_largest",),
    ),
    Mutation(
        "the same of few classes",
        "cpp/kernels/tiles/packs.hpp",
        "bound_at(origin, pack.second)",
        "bound_at(origin, MISTAKE ? largest : pack.second)",
        (LOSS + "test_dominant_logit_over_few_others",),
    ),
    Mutation(
        "what a bound loses of many exponentials added up in float for too long",
        "cpp/kernels/rows/long_rows.hpp",
        "if (added < SumsBelowMaximum<T, logical_lanes>::most) return;",
        "if (MISTAKE || added < SumsBelowMaximum<T, logical_lanes>::most) return;",
        (LOSS + "test_very_many_logits_far_below_the_second_largest",),
    ),
    Mutation(
        "one bound for a row of any length",
        "cpp/kernels/rows/long_rows.hpp",
        "if (row.n > longest_sum<T>)",
        "if (!MISTAKE && row.n > longest_sum<T>)",
        (LOSS + "test_very_many_logits_far_below_the_second_largest",),
    ),
    Mutation(
        "products of few classes that are not taken relative to the maximum",
        "cpp/kernels/tiles/products.hpp",
        "centre[h] = exponential == at_maximum[h] ? entry : centre[h];",
        "centre[h] = MISTAKE ? Double{} : exponential == at_maximum[h] ? entry : centre[h];",
        ("tests/losses/test_second_order.py::test_a_confident_row_keeps_its_digits",),
    ),
    Mutation(
        "1 / S rounded",
        "cpp/kernels/arithmetic/normalization.hpp",
        "return fma(e, high_, e * low_) * unspare_;",
        "return (MISTAKE ? e * high_ : fma(e, high_, e * low_)) * unspare_;",
        (ROWS + "test_every_length", ROWS + "test_extreme_values_in_every_lane"),
    ),
    Mutation(
        "loss as logsumexp - x",
        "cpp/kernels/rows/cross_entropy.hpp",
        "plus(half_of(pack.maximum, h) - half_of(at_label, h), pack.log_rest[h])",
        "MISTAKE ? plus(half_of(pack.maximum, h), pack.log_rest[h]) - half_of(at_label, h)\n"
        "        : plus(half_of(pack.maximum, h) - half_of(at_label, h), pack.log_rest[h])",
        (LOSS + "test_every_length",),
    ),
    Mutation(
        "a running maximum that begins at -10000",
        "cpp/kernels/rows/medium_rows.hpp",
        "found[unrolled] = {{lowest, lowest}, {lowest, lowest}};",
        "found[unrolled] = {{lowest, lowest}, {MISTAKE ? broadcast(T(-10000)) : lowest, lowest}};",
        (
            ROWS + "test_extreme_values_in_every_lane",
            ROWS + "test_stretches_of_minus_infinity",
            ROWS + "test_every_length",
        ),
    ),
    Mutation(
        "the last lane forgotten in the maximum",
        "cpp/kernels/rows/medium_rows.hpp",
        "return found[0].with(found[1]);",
        "if (MISTAKE) found[0].first[width - 1] = found[1].first[width - 1] = T(-infinity);\n"
        "return found[0].with(found[1]);",
        (ROWS + "test_extreme_values_in_every_lane",),
    ),
    Mutation(
        "0 * inf in probability labels",
        "cpp/kernels/rows/soft_cross_entropy.hpp",
        "distance_terms.add(depth, target == zero ? zero : term);",
        "distance_terms.add(depth, MISTAKE ? term : target == zero ? zero : term);",
        (EDGE + "test_probability_zero_at_minus_infinity_costs_nothing",),
    ),
    Mutation(
        "bfloat16 cut off, not rounded",
        "cpp/arrays/dtypes.hpp",
        "const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16,",
        "const uint32_t rounded = (bits + (MISTAKE ? 0u : 0x7fffu + (bits >> 16 & 1u))) >> 16,",
        ("tests/functional/test_half_precision.py::test_sigmoid_of_every_value",),
    ),
    Mutation(
        "the weights of the samples where those of the labels count",
        "cpp/arrays/cross_entropy.cpp",
        "const RowWeights weights{call.label_weight, call.label_weight};",
        "const RowWeights weights{call.label_weight, MISTAKE ? call.sample_weight : call.label_weight};",
        ("tests/test_cross_entropy_native.py::test_every_kernel_gives_the_loss_and_the_gradient",),
    ),
    Mutation(
        "rows of weight 0 multiplied, not skipped",
        "cpp/arrays/cross_entropy.cpp",
        "if (weights(row) != 0.0) return true;",
        "if (weights(row) != (MISTAKE ? 7.0 : 0.0)) return true;",
        (EDGE + "test_an_ignored_row_is_exactly_zero_whatever_it_holds",),
    ),
]


@pytest.mark.parametrize("far_below", [0, 80])
def test_logsumexp_of_two_classes_in_very_many_rows(far_below: int) -> None:
    """Where m and log1p(R) are of one size the bound leaves least to spare, and some rows need all digits of R.

    With so many classes more, far below, the rows are no longer of few classes. Of the least visible mutation a row in
    some 50,000 tells: fewer rows would miss it in some runs.
    """
    x = fresh_rng().uniform(-0.35, -0.2, (300_000, 2))
    lse = exact.logsumexp(x)
    scale = np.maximum(np.abs(lse), np.max(np.abs(x), axis=-1))
    rows = np.pad(x, ((0, 0), (0, far_below)), constant_values=-1e4)
    assert_within(LOGSUMEXP[x.dtype], sg.logsumexp(rows), lse, scale=scale, what="logsumexp")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    directory = made_once(tmp_path_factory, "mutations", lambda folder: Workshop(folder, MUTATIONS).build())
    return Workshop(directory, MUTATIONS)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_has_its_one_place(mutation: Mutation) -> None:
    """Quick, so that whoever changes the place learns of it at once."""
    count = (ROOT / mutation.source).read_text(encoding="utf-8").count(mutation.right)
    assert count == 1, f"{mutation.source} has {count} places {mutation.right!r}; the mutation is out of date"
    assert "MISTAKE" in mutation.wrong


@pytest.mark.slow
def test_without_a_mutation_all_pass(workshop: Workshop) -> None:
    tests = tuple(sorted({test for mutation in MUTATIONS for test in mutation.tests}))
    finished = workshop.run(tests)
    assert finished.returncode == pytest.ExitCode.OK, finished.stdout + finished.stderr


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_seen(mutation: Mutation, workshop: Workshop) -> None:
    finished = workshop.run(mutation.tests, mutation=mutation)
    report = finished.stdout + finished.stderr
    print(report[-2000:])
    assert finished.returncode == pytest.ExitCode.TESTS_FAILED, report
