// The Python module softgrad._core; softgrad._native is its only importer. _core.pyi says what its functions do.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <string>
#include <utility>

#include "dispatch/dispatch.hpp"
#include "kernels/table.hpp"
#include "python/cross_entropy.hpp"
#include "python/labels.hpp"
#include "python/maps.hpp"
#include "python/negligible.hpp"
#include "python/numbers.hpp"
#include "python/products.hpp"
#include "python/regression_sums.hpp"
#include "python/settings.hpp"
#include "python/sparse_products.hpp"
#include "python/unknowns.hpp"
#include "threads/float_mode.hpp"
#include "threads/thread_pool.hpp"

using namespace nanobind::literals;
namespace nb = nanobind;
namespace python = softgrad::python;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// A function of numbers: in the IEEE mode, whatever that of the caller is.
template <class Mode = softgrad::IeeeMode, class Function, class... Extra>
void define(nb::module_& m, const char* name, Function&& function, const Extra&... extra) {
    m.def(name, std::forward<Function>(function), nb::call_guard<Mode>(), extra...);
}

// And one whose results may go into products of matrices: NAME_flushed gives 0 for what would be subnormal.
template <class Function, class... Extra>
void define_both(nb::module_& m, const std::string& name, Function&& function, const Extra&... extra) {
    define(m, name.c_str(), function, extra...);
    define<softgrad::FlushingMode>(m, (name + "_flushed").c_str(), function, extra...);
}

}  // namespace

NB_MODULE(_core, m) {
    // A wrong SOFTGRAD_ISA is an error at import, not at the first call.
    softgrad::instruction_set();

    m.def("instruction_set", [] { return softgrad::instruction_set().name; });
    m.def("available_instruction_sets", &python::available_instruction_sets);
    m.def("dtypes", &python::dtypes);
    m.attr("most_tile_classes") = softgrad::most_tile_classes;
    m.def("get_num_threads", &softgrad::thread_count);
    m.def("set_num_threads", &softgrad::set_thread_count, "count"_a);
    m.def("enter_ieee_mode", &python::enter_ieee_mode);
    m.def("set_float_mode", &softgrad::FloatMode::set, "mode"_a);

    define(m, "softmax", &python::softmax, "x"_a, "out"_a, "axes"_a, "where"_a.none(), "temperature"_a);
    define(m, "log_softmax", &python::log_softmax, "x"_a, "out"_a, "axes"_a, "where"_a.none(), "temperature"_a);
    define(m, "logsumexp", &python::logsumexp, "x"_a, "out"_a, "axes"_a, "where"_a.none());
    define(m, "softmax_if_plain", &python::softmax_if_plain);
    define(m, "log_softmax_if_plain", &python::log_softmax_if_plain);
    define(m, "logsumexp_if_plain", &python::logsumexp_if_plain);
    define(m, "sigmoid", &python::sigmoid);
    define(m, "log_sigmoid", &python::log_sigmoid);

    define_both(m, "row_products", &python::row_products, "product"_a, "x"_a, "v"_a.none(), "w"_a.none(), "axes"_a,
                "where"_a.none(), "temperature"_a, "factor"_a.none(), "scale"_a, "massless_is_zero"_a, "out"_a);
    define(m, "products_of_output", &python::products_of_output, "product"_a, "output"_a, "v"_a, "axes"_a,
           "where"_a.none(), "scale"_a, "out"_a);
    define(m, "products_of_output_if_plain", &python::products_of_output_if_plain);
    define(m, "clear_below", &python::clear_below, "rows"_a, "thresholds"_a, "vectors"_a.none());
    define(m, "softmax_means", &python::softmax_means, "x"_a, "v"_a, "axes"_a, "where"_a.none(), "out"_a);
    define<softgrad::FlushingMode>(m, "add_loss_gradient", &python::add_loss_gradient, "x"_a, "labels"_a, "weights"_a,
                                   "least"_a, "weight"_a, "bias"_a.none(), "out"_a, "out_bias"_a.none());
    define<softgrad::FlushingMode>(m, "add_hessian_product", &python::add_hessian_product, "x"_a, "probabilities"_a,
                                   "weights"_a, "least"_a, "weight"_a, "bias"_a.none(), "out"_a, "out_bias"_a.none());
    define<softgrad::FlushingMode>(m, "add_hessian_matrix", &python::add_hessian_matrix, "x"_a, "weight"_a, "weights"_a,
                                   "others"_a, "out"_a);
    define(m, "sparse_product", &python::sparse_product, "data"_a, "indices"_a, "indptr"_a, "dense"_a, "bias"_a.none(),
           "out"_a);
    define(m, "sparse_transposed_product", &python::sparse_transposed_product, "data"_a, "indices"_a, "indptr"_a,
           "dense"_a, "out"_a);
    define(m, "advance", &python::advance, "columns"_a, "length"_a, "search"_a, "curved"_a, "direction"_a,
           "residual"_a);
    define(m, "turn", &python::turn, "columns"_a, "ratio"_a, "next"_a, "search"_a);
    define(m, "divide", &python::divide, "columns"_a, "residual"_a, "diagonal"_a, "out"_a);
    define(m, "add_pull", &python::add_pull, "columns"_a, "ridge"_a, "theta"_a, "result"_a);
    define(m, "to_weights", &python::to_weights, "columns"_a, "theta"_a, "centre"_a, "inverse_scale"_a, "transposed"_a,
           "weights"_a, "along"_a);
    define(m, "from_weights", &python::from_weights, "columns"_a, "by_weights"_a, "by_biases"_a.none(), "centre"_a,
           "inverse_scale"_a, "transposed"_a, "by_theta"_a);

    define_both(m, "cross_entropy_loss", &python::cross_entropy_loss, "logits"_a, "labels"_a, "axes"_a, nb::kw_only(),
                "label_weight"_a = nb::none(), "sample_weight"_a = nb::none(), "class_weight"_a = nb::none(),
                "smoothing"_a = 0.0, "where"_a = nb::none(), "softcap"_a = infinity, "temperature"_a = 1.0,
                "z_loss"_a = 0.0, "upstream"_a = nb::none(), "scale"_a = 1.0, "divisor"_a = 1.0,
                "losses"_a = nb::none(), "gradient"_a = nb::none(), "tangent"_a = nb::none());
    define(m, "cross_entropy_if_plain", &python::cross_entropy_if_plain, "logits"_a, "labels"_a, "gradient"_a.none());
    m.def("first_outside", &python::first_outside);
    define(m, "probability_weights", &python::probability_weights, "probabilities"_a, "axes"_a, "class_weight"_a.none(),
           "out"_a);
    define(m, "token_logprobs", &python::token_logprobs);
    define(m, "sum", &python::sum);
    define(m, "store_rounded", &python::store_rounded);
}
