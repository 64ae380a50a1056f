// The Python module softgrad._core: arrays come in through the buffer protocol and leave checked by softgrad._contracts,
// which is the only caller.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dispatch/dispatch.hpp"
#include "threads/float_mode.hpp"
#include "arrays/rows.hpp"
#include "threads/thread_pool.hpp"

namespace nb = nanobind;
using namespace softgrad;

namespace {

using Axes = std::vector<int>;
constexpr double no_softcap = std::numeric_limits<double>::infinity();

class Array {
  public:
    enum Access { read, write };

    Array(nb::handle object, Access access) {
        const int flags = PyBUF_STRIDES | PyBUF_FORMAT | (access == write ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw nb::python_error();
    }
    ~Array() { PyBuffer_Release(&view_); }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

    // Whether it is of a floating dtype of the core, native and aligned: nothing else has a format of that one character.
    bool floating() const {
        const char* format = view_.format;
        return (format[0] == 'd' || format[0] == 'f' || format[0] == 'e') && format[1] == '\0';
    }
    Axes last_axis() const { return {view_.ndim - 1}; }
    int ndim() const { return view_.ndim; }
    int64_t size() const { return view_.len / view_.itemsize; }
    // Of a matrix.
    int64_t length(int axis) const {
        if (view_.ndim != 2) throw nb::type_error("softgrad._core: wrong buffer");
        return view_.shape[axis];
    }
    char format() const { return view_.format[0] == 'q' ? 'l' : view_.format[0]; }

    template <class T>
    T* contiguous(char wanted) const {
        if (format() != wanted || !PyBuffer_IsContiguous(&view_, 'C')) throw nb::type_error("softgrad._core: wrong buffer");
        return static_cast<T*>(view_.buf);
    }

    Elements elements() const {
        return {static_cast<char*>(view_.buf), Walk(dimensions([](int) { return true; }))};
    }

    RowView rows(const Axes& axes) const {
        auto is_class = [&](int d) {
            for (int axis : axes)
                if (axis == d) return true;
            return false;
        };
        return {static_cast<char*>(view_.buf), Walk(dimensions([&](int d) { return !is_class(d); })), Walk(dimensions(is_class))};
    }

  private:
    template <class Wanted>
    Dimensions dimensions(const Wanted& wanted) const {
        Dimensions result;
        for (int d = 0; d < view_.ndim; ++d)
            if (wanted(d)) result.push_back({view_.shape[d], view_.strides[d]});
        return result;
    }

    Py_buffer view_;
};

using OptionalArray = std::unique_ptr<const Array>;

OptionalArray optional_array(nb::handle object, Array::Access access) {
    return object.is_none() ? nullptr : std::make_unique<const Array>(object, access);
}

template <class T>
T* data_or_null(const OptionalArray& array, char format) {
    return array ? array->contiguous<T>(format) : nullptr;
}

// Lets the lock of the interpreter go while there is much to do. Taking it back from a thread that computes takes up to 5 ms, so
// it is kept for what is done in microseconds.
class Unlocked {
  public:
    explicit Unlocked(const Array& array) {
        if (array.size() > 4096) released_.emplace();
    }

  private:
    std::optional<nb::gil_scoped_release> released_;
};

// Calls work.operator()<S>() for the dtype of the array.
template <class Work>
void with_dtype(const Array& array, const Work& work) {
    switch (array.format()) {
#define SOFTGRAD_CASE(name, S, character)     \
    case character: {                         \
        const Unlocked unlocked(array);       \
        return work.template operator()<S>(); \
    }
        SOFTGRAD_DTYPES(SOFTGRAD_CASE)
#undef SOFTGRAD_CASE
    }
    throw nb::type_error("softgrad._core: an array of another dtype");
}

Probabilities probabilities_of(const Array& array, const Axes& axes) {
    switch (array.format()) {
#define SOFTGRAD_CASE(name, S, character) \
    case character:                       \
        return {array.rows(axes), read_as_double<S>};
        SOFTGRAD_DTYPES(SOFTGRAD_CASE)
#undef SOFTGRAD_CASE
    }
    throw nb::type_error("softgrad._core: an array of another dtype");
}

// The mask is kept here for the length of the call.
struct TransformArrays {
    OptionalArray where;
    Transform transform;

    TransformArrays(nb::handle mask, const Axes& axes, double softcap, double temperature)
        : where(optional_array(mask, Array::read)),
          transform{where ? std::optional<RowView>(where->rows(axes)) : std::nullopt, softcap, temperature} {
        if (where && where->format() != '?') throw nb::type_error("softgrad._core: a mask of another dtype");
    }
};

void map_arrays(RowMap function, const Array& from, const Array& to, const Axes& axes, const Transform& transform) {
    const RowView from_rows = from.rows(axes), to_rows = to.rows(axes);
    with_dtype(from, [&]<class S>() { map_rows<S>(function, from_rows, transform, to_rows); });
}

void map_rows_of(RowMap function, nb::handle x, nb::handle out, const Axes& axes, nb::handle where, double temperature) {
    const TransformArrays with(where, axes, no_softcap, temperature);
    map_arrays(function, Array(x, Array::read), Array(out, Array::write), axes, with.transform);
}

void logsumexp_of(const Array& from, const Array& to, const Axes& axes, const Transform& transform) {
    const RowView rows = from.rows(axes);
    void* values = to.contiguous<void>(from.format());
    with_dtype(from, [&]<class S>() { logsumexp<S>(rows, transform, static_cast<S*>(values)); });
}

// Calls work(x, out) if x is an array that nothing has to be done to first; if not, it is false, and nothing has happened.
template <class Work>
bool if_plain(nb::handle x, nb::handle out, const Work& work) {
    std::optional<Array> from;
    try {
        from.emplace(x, Array::read);
    } catch (const nb::python_error&) {
        return false;  // bfloat16, or nothing that has numbers
    }
    if (!from->floating() || from->ndim() == 0) return false;
    work(*from, Array(out, Array::write));
    return true;
}

Product product_named(const std::string& name) {
    if (name == "softmax") return Product::softmax;
    if (name == "log_softmax_tangent") return Product::log_softmax_tangent;
    if (name == "log_softmax_cotangent") return Product::log_softmax_cotangent;
    if (name == "probabilities") return Product::probabilities;
    if (name == "variances") return Product::variances;
    if (name == "softmax_second") return Product::softmax_second;
    throw nb::value_error("softgrad._core: no such product");
}

void map_elements_of(ElementMap function, nb::handle x, nb::handle out) {
    const Array from(x, Array::read), to(out, Array::write);
    const Elements from_elements = from.elements(), to_elements = to.elements();
    with_dtype(from, [&]<class S>() { map_elements<S>(function, from_elements, to_elements); });
}

template <class T>
constexpr char format_of = sizeof(T) == 4 ? 'f' : 'd';

// Rows in CSR form whose entries are T, whose places Index.
template <class T, class Index>
struct SparseRows {
    using Entry = T;

    const T* values;
    const Index *columns, *starts;
    int64_t n;

    // Whether every row lies within the entries, and every entry within `width` columns.
    bool within(int64_t entries, int64_t width) const {
        bool inside = starts[0] == 0 && starts[n] <= entries;
        for (int64_t i = 0; i < n; ++i) inside &= starts[i] <= starts[i + 1];
        if (!inside) return false;
        for (Index e = 0; e < starts[n]; ++e) inside &= columns[e] >= 0 && columns[e] < width;
        return inside;
    }
    const SparseKernels<T, Index>& kernels() const {
        const RowKernels<T>* of_dtype;
        if constexpr (sizeof(T) == 4)
            of_dtype = &instruction_set().kernels->float32;
        else
            of_dtype = &instruction_set().kernels->float64;
        if constexpr (sizeof(Index) == 4)
            return of_dtype->sparse32;
        else
            return of_dtype->sparse64;
    }
};

// Calls work(rows) for rows that lie within the matrix (number of rows, width), without the interpreter.
template <class Work>
void with_sparse(nb::handle data, nb::handle indices, nb::handle indptr, int64_t width, const Work& work) {
    const Array values(data, Array::read), columns(indices, Array::read), starts(indptr, Array::read);
    auto of = [&]<class T, class Index>() {
        constexpr char index = sizeof(Index) == 4 ? 'i' : 'l';
        const SparseRows<T, Index> rows{values.contiguous<const T>(format_of<T>), columns.contiguous<const Index>(index),
                                        starts.contiguous<const Index>(index), starts.size() - 1};
        const nb::gil_scoped_release released;
        if (!rows.within(std::min(values.size(), columns.size()), width)) throw std::out_of_range("softgrad._core: an entry outside the matrix");
        work(rows);
    };
    if (starts.size() < 1) throw nb::type_error("softgrad._core: wrong buffer");
    const bool wide = columns.format() == 'l';
    if (values.format() == 'd')
        wide ? of.template operator()<double, int64_t>() : of.template operator()<double, int32_t>();
    else
        wide ? of.template operator()<float, int64_t>() : of.template operator()<float, int32_t>();
}

// The parts that both forms of cross-entropy have, held for the length of the call.
struct CrossEntropyArrays {
    Array logits, losses;
    OptionalArray gradient, tangent, weight, upstream;
    CrossEntropyCall call;

    CrossEntropyArrays(nb::handle x, const Axes& axes, nb::handle weights, nb::handle upstreams, double scale,
                       nb::handle loss, nb::handle grad, nb::handle vector)
        : logits(x, Array::read),
          losses(loss, Array::write),
          gradient(optional_array(grad, Array::write)),
          tangent(optional_array(vector, Array::read)),
          weight(optional_array(weights, Array::read)),
          upstream(optional_array(upstreams, Array::read)),
          call{logits.rows(axes),
               gradient ? std::optional<RowView>(gradient->rows(axes)) : std::nullopt,
               tangent ? std::optional<RowView>(tangent->rows(axes)) : std::nullopt,
               data_or_null<const double>(weight, 'd'),
               data_or_null<const double>(upstream, 'd'),
               scale,
               losses.contiguous<double>('d')} {}
};

// A function of numbers: in the IEEE mode, whatever that of the caller is.
template <class Function, class... Extra>
void define(nb::module_& m, const char* name, Function&& function, const Extra&... extra) {
    m.def(name, std::forward<Function>(function), nb::call_guard<IeeeMode>(), extra...);
}

}  // namespace

NB_MODULE(_core, m) {
    // A wrong SOFTGRAD_ISA is an error at import, not at the first call.
    instruction_set();

    m.def("instruction_set", [] { return instruction_set().name; });
    m.def("available_instruction_sets", [] {
        std::vector<std::string> names;
        for (const auto& set : available_instruction_sets()) names.push_back(set.name);
        return names;
    });
    m.def("get_num_threads", &thread_count);
    m.def("set_num_threads", &set_thread_count, nb::arg("count"));

    m.def("dtypes", [] {
        std::vector<std::string> names;
#define SOFTGRAD_NAME(name, S, character) names.push_back(#name);
        SOFTGRAD_DTYPES(SOFTGRAD_NAME)
#undef SOFTGRAD_NAME
        return names;
    });

    define(m,
        "softmax",
        [](nb::handle x, nb::handle out, const Axes& axes, nb::handle where, double temperature) {
            map_rows_of(RowMap::softmax, x, out, axes, where, temperature);
        },
        nb::arg("x"), nb::arg("out"), nb::arg("axes"), nb::arg("where").none(), nb::arg("temperature"));
    define(m,
        "log_softmax",
        [](nb::handle x, nb::handle out, const Axes& axes, nb::handle where, double temperature) {
            map_rows_of(RowMap::log_softmax, x, out, axes, where, temperature);
        },
        nb::arg("x"), nb::arg("out"), nb::arg("axes"), nb::arg("where").none(), nb::arg("temperature"));
    define(m,
        "logsumexp",
        [](nb::handle x, nb::handle out, const Axes& axes, nb::handle where) {
            const TransformArrays with(where, axes, no_softcap, 1.0);
            logsumexp_of(Array(x, Array::read), Array(out, Array::write), axes, with.transform);
        },
        nb::arg("x"), nb::arg("out"), nb::arg("axes"), nb::arg("where").none());
    // Of the last axis, without options: what a small call has time for.
    const Transform none{std::nullopt, no_softcap, 1.0};
    define(m, "softmax_if_plain", [none](nb::handle x, nb::handle out) {
        return if_plain(x, out, [&](const Array& from, const Array& to) { map_arrays(RowMap::softmax, from, to, from.last_axis(), none); });
    });
    define(m, "log_softmax_if_plain", [none](nb::handle x, nb::handle out) {
        return if_plain(x, out, [&](const Array& from, const Array& to) { map_arrays(RowMap::log_softmax, from, to, from.last_axis(), none); });
    });
    define(m, "logsumexp_if_plain", [none](nb::handle x, nb::handle out) {
        return if_plain(x, out, [&](const Array& from, const Array& to) { logsumexp_of(from, to, from.last_axis(), none); });
    });
    define(m,
        "row_products",
        [](const std::string& name, nb::handle x, nb::handle v, nb::handle w, const Axes& axes, nb::handle where, double temperature,
           nb::handle factor, double scale, bool massless_is_zero, nb::handle out) {
            const Product product = product_named(name);
            const Array from(x, Array::read), to(out, Array::write);
            const OptionalArray vectors[2] = {optional_array(v, Array::read), optional_array(w, Array::read)};
            const OptionalArray factors = optional_array(factor, Array::read);
            const TransformArrays with(where, axes, no_softcap, temperature);
            const RowView from_rows = from.rows(axes), to_rows = to.rows(axes);
            std::optional<RowView> vector_rows[2];
            for (int i = 0; i < 2; ++i) {
                if (!vectors[i]) continue;
                if (vectors[i]->format() != from.format()) throw nb::type_error("softgrad._core: a vector of another dtype");
                vector_rows[i] = vectors[i]->rows(axes);
            }
            const double* of_rows = data_or_null<const double>(factors, 'd');
            with_dtype(from, [&]<class S>() {
                const RowView *first = vector_rows[0] ? &*vector_rows[0] : nullptr, *second = vector_rows[1] ? &*vector_rows[1] : nullptr;
                map_products<S>(product, from_rows, first, second, with.transform, of_rows, scale, massless_is_zero, to_rows);
            });
        },
        nb::arg("product"), nb::arg("x"), nb::arg("v").none(), nb::arg("w").none(), nb::arg("axes"), nb::arg("where").none(),
        nb::arg("temperature"), nb::arg("factor").none(), nb::arg("scale"), nb::arg("massless_is_zero"), nb::arg("out"));
    define(m,
        "softmax_means",
        [](nb::handle x, nb::handle v, const Axes& axes, nb::handle where, nb::handle out) {
            const Array from(x, Array::read), vector(v, Array::read), to(out, Array::write);
            if (vector.format() != from.format()) throw nb::type_error("softgrad._core: a vector of another dtype");
            const TransformArrays with(where, axes, no_softcap, 1.0);
            const RowView from_rows = from.rows(axes), vector_rows = vector.rows(axes);
            double* means = to.contiguous<double>('d');
            with_dtype(from, [&]<class S>() { softmax_means<S>(from_rows, vector_rows, with.transform, means); });
        },
        nb::arg("x"), nb::arg("v"), nb::arg("axes"), nb::arg("where").none(), nb::arg("out"));
    define(m,
        "sparse_product",
        [](nb::handle data, nb::handle indices, nb::handle indptr, nb::handle dense, nb::handle bias, nb::handle out) {
            const Array from(dense, Array::read), to(out, Array::write);
            const OptionalArray origin = optional_array(bias, Array::read);
            const int64_t width = from.length(0), k = from.length(1);
            with_sparse(data, indices, indptr, width, [&](const auto& rows) {
                using T = typename std::decay_t<decltype(rows)>::Entry;
                if (to.length(0) != rows.n || to.length(1) != k || (origin && origin->size() != k)) throw nb::type_error("softgrad._core: shapes that do not match");
                rows.kernels().product(rows.values, rows.columns, rows.starts, rows.n, from.contiguous<const T>(format_of<T>), k,
                                       origin ? origin->contiguous<const T>(format_of<T>) : nullptr, to.contiguous<T>(format_of<T>));
            });
        },
        nb::arg("data"), nb::arg("indices"), nb::arg("indptr"), nb::arg("dense"), nb::arg("bias").none(), nb::arg("out"));
    define(m,
        "sparse_transposed_product",
        [](nb::handle data, nb::handle indices, nb::handle indptr, nb::handle dense, nb::handle out) {
            const Array from(dense, Array::read), to(out, Array::write);
            const int64_t width = to.length(0), k = to.length(1);
            with_sparse(data, indices, indptr, width, [&](const auto& rows) {
                using T = typename std::decay_t<decltype(rows)>::Entry;
                if (from.length(0) != rows.n || from.length(1) != k) throw nb::type_error("softgrad._core: shapes that do not match");
                rows.kernels().transposed_product(rows.values, rows.columns, rows.starts, rows.n, from.contiguous<const T>(format_of<T>), k,
                                                  to.contiguous<T>(format_of<T>));
            });
        },
        nb::arg("data"), nb::arg("indices"), nb::arg("indptr"), nb::arg("dense"), nb::arg("out"));
    define(m, "sigmoid", [](nb::handle x, nb::handle out) { map_elements_of(ElementMap::sigmoid, x, out); });
    define(m, "log_sigmoid", [](nb::handle x, nb::handle out) { map_elements_of(ElementMap::log_sigmoid, x, out); });
    define(m, "sum", [](nb::handle values) {
        const Array array(values, Array::read);
        const double* data = array.contiguous<const double>('d');
        const Unlocked unlocked(array);
        return sum(data, array.size());
    });
    // For arithmetic that is NumPy's: the mode of this thread as it was, for `set_float_mode` in the end; None if it is IEEE's already.
    m.def("enter_ieee_mode", []() -> std::optional<uint64_t> {
        const uint64_t before = FloatMode::current();
        if (before == FloatMode::ieee) return std::nullopt;
        FloatMode::set(FloatMode::ieee);
        return before;
    });
    m.def("set_float_mode", &FloatMode::set, nb::arg("mode"));
    define(m, "store_rounded", [](double value, nb::handle out) {
        const Array to(out, Array::write);
        if (to.format() == 'd')
            *to.contiguous<double>('d') = value;
        else
            *to.contiguous<float>('f') = static_cast<float>(value);
    });
    m.def("first_outside", [](nb::handle labels, int64_t classes) {
        const Array array(labels, Array::read);
        const int64_t* data = array.contiguous<const int64_t>('l');
        const Unlocked unlocked(array);
        const int64_t n = array.size();
        int64_t i = 0;
        // Without its sign a negative label is beyond all classes.
        while (i < n && static_cast<uint64_t>(data[i]) < static_cast<uint64_t>(classes)) ++i;
        return i < n ? i : -1;
    });

    define(m,
        "cross_entropy",
        [](nb::handle logits, const Axes& axes, nb::handle labels, nb::handle weight, nb::handle upstream, double scale,
           nb::handle losses, nb::handle gradient, nb::handle tangent) {
            const CrossEntropyArrays arrays(logits, axes, weight, upstream, scale, losses, gradient, tangent);
            const Array indices(labels, Array::read);
            const int64_t* classes = indices.contiguous<const int64_t>('l');
            with_dtype(arrays.logits, [&]<class S>() { cross_entropy<S>(arrays.call, classes); });
        },
        nb::arg("logits"), nb::arg("axes"), nb::arg("labels"), nb::arg("weight").none(), nb::arg("upstream").none(), nb::arg("scale"),
        nb::arg("losses"), nb::arg("gradient").none(), nb::arg("tangent").none() = nb::none());

    define(m,
        "soft_cross_entropy",
        [](nb::handle logits, const Axes& axes, nb::handle labels, nb::handle probabilities, nb::handle class_weight,
           double smoothing, nb::handle where, double softcap, double temperature, double z_loss, nb::handle weight,
           nb::handle upstream, double scale, nb::handle losses, nb::handle gradient, nb::handle tangent) {
            const CrossEntropyArrays arrays(logits, axes, weight, upstream, scale, losses, gradient, tangent);
            const TransformArrays with(where, axes, softcap, temperature);
            const OptionalArray indices = optional_array(labels, Array::read);
            const OptionalArray given = optional_array(probabilities, Array::read);
            const OptionalArray weights = optional_array(class_weight, Array::read);
            const Targets targets{data_or_null<const int64_t>(indices, 'l'),
                                  given ? std::optional<Probabilities>(probabilities_of(*given, axes)) : std::nullopt,
                                  data_or_null<const double>(weights, 'd'), smoothing};
            with_dtype(arrays.logits, [&]<class S>() { soft_cross_entropy<S>(arrays.call, targets, with.transform, z_loss); });
        },
        nb::arg("logits"), nb::arg("axes"), nb::arg("labels").none(), nb::arg("probabilities").none(), nb::arg("class_weight").none(),
        nb::arg("smoothing"), nb::arg("where").none(), nb::arg("softcap"), nb::arg("temperature"), nb::arg("z_loss"),
        nb::arg("weight").none(), nb::arg("upstream").none(), nb::arg("scale"), nb::arg("losses"), nb::arg("gradient").none(), nb::arg("tangent").none() = nb::none());

    define(m, "token_logprobs", [](nb::handle logits, const Axes& axes, nb::handle labels, nb::handle logprobs, nb::handle entropies,
                               nb::handle ranks) {
        const Array from(logits, Array::read), indices(labels, Array::read);
        const Array first(logprobs, Array::write), second(entropies, Array::write), third(ranks, Array::write);
        const RowView rows = from.rows(axes);
        const int64_t* classes = indices.contiguous<const int64_t>('l');
        double* logprob = first.contiguous<double>('d');
        double* entropy = second.contiguous<double>('d');
        int64_t* rank = third.contiguous<int64_t>('l');
        with_dtype(from, [&]<class S>() { token_logprobs<S>(rows, classes, logprob, entropy, rank); });
    });

    define(m,
        "probability_weights",
        [](nb::handle probabilities, const Axes& axes, nb::handle class_weight, nb::handle out) {
            const Array given(probabilities, Array::read), to(out, Array::write);
            const OptionalArray weights = optional_array(class_weight, Array::read);
            const Probabilities rows = probabilities_of(given, axes);
            const double* w = data_or_null<const double>(weights, 'd');
            double* result = to.contiguous<double>('d');
            const Unlocked unlocked(given);
            probability_weights(rows, w, result);
        },
        nb::arg("probabilities"), nb::arg("axes"), nb::arg("class_weight").none(), nb::arg("out"));
}
