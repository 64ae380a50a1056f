// The Python module softgrad._core: arrays come in through the buffer protocol and leave checked by softgrad._contracts,
// which is the only caller; the lock of the interpreter is released around the work.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dispatch.hpp"
#include "rows.hpp"
#include "thread_pool.hpp"

namespace nb = nanobind;
using namespace softgrad;

namespace {

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

    bool is_double() const { return is('d'); }
    template <class T>
    T* contiguous(char format) const {
        if (!is(format) || !PyBuffer_IsContiguous(&view_, 'C')) throw nb::type_error("softgrad._core: wrong buffer");
        return static_cast<T*>(view_.buf);
    }

    Elements elements() const {
        check_floating();
        return {static_cast<char*>(view_.buf), Walk(dimensions([](int) { return true; }))};
    }

    RowView rows(const std::vector<int>& axes) const {
        check_floating();
        auto is_class = [&](int d) {
            for (int axis : axes)
                if (axis == d) return true;
            return false;
        };
        return {static_cast<char*>(view_.buf), Walk(dimensions([&](int d) { return !is_class(d); })), Walk(dimensions(is_class))};
    }

  private:
    bool is(char format) const { return view_.format[0] == format || (format == 'l' && view_.format[0] == 'q'); }
    void check_floating() const {
        if (!is('f') && !is('d')) throw nb::type_error("softgrad._core: float32 or float64 expected");
    }
    template <class Wanted>
    std::vector<Dimension> dimensions(const Wanted& wanted) const {
        std::vector<Dimension> result;
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

// Calls work.operator()<T>() for the dtype of the array.
template <class Work>
void with_dtype(const Array& array, const Work& work) {
    nb::gil_scoped_release unlocked;
    if (array.is_double())
        work.template operator()<double>();
    else
        work.template operator()<float>();
}

void map_rows_of(RowMap function, nb::handle x, nb::handle out, const std::vector<int>& axes) {
    const Array from(x, Array::read), to(out, Array::write);
    const RowView from_rows = from.rows(axes), to_rows = to.rows(axes);
    with_dtype(from, [&]<class T>() { map_rows<T>(function, from_rows, to_rows); });
}

void map_elements_of(ElementMap function, nb::handle x, nb::handle out) {
    const Array from(x, Array::read), to(out, Array::write);
    const Elements from_elements = from.elements(), to_elements = to.elements();
    with_dtype(from, [&]<class T>() { map_elements<T>(function, from_elements, to_elements); });
}

// The parts that both forms of cross-entropy have, held for the length of the call.
struct CrossEntropyArrays {
    Array logits, losses;
    OptionalArray gradient, weight, upstream;
    CrossEntropyCall call;

    CrossEntropyArrays(nb::handle x, const std::vector<int>& axes, nb::handle weights, nb::handle upstreams, double scale,
                       nb::handle loss, nb::handle grad)
        : logits(x, Array::read),
          losses(loss, Array::write),
          gradient(optional_array(grad, Array::write)),
          weight(optional_array(weights, Array::read)),
          upstream(optional_array(upstreams, Array::read)),
          call{logits.rows(axes),
               gradient ? std::optional<RowView>(gradient->rows(axes)) : std::nullopt,
               data_or_null<const double>(weight, 'd'),
               data_or_null<const double>(upstream, 'd'),
               scale,
               losses.contiguous<double>('d')} {}
};

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

    m.def("softmax", [](nb::handle x, nb::handle out, const std::vector<int>& axes) {
        map_rows_of(RowMap::softmax, x, out, axes);
    });
    m.def("log_softmax", [](nb::handle x, nb::handle out, const std::vector<int>& axes) {
        map_rows_of(RowMap::log_softmax, x, out, axes);
    });
    m.def("sigmoid", [](nb::handle x, nb::handle out) { map_elements_of(ElementMap::sigmoid, x, out); });
    m.def("log_sigmoid", [](nb::handle x, nb::handle out) { map_elements_of(ElementMap::log_sigmoid, x, out); });
    m.def("logsumexp", [](nb::handle x, nb::handle out, const std::vector<int>& axes) {
        const Array from(x, Array::read), to(out, Array::write);
        const RowView rows = from.rows(axes);
        if (from.is_double()) {
            double* values = to.contiguous<double>('d');
            with_dtype(from, [&]<class T>() { logsumexp<T>(rows, reinterpret_cast<T*>(values)); });
        } else {
            float* values = to.contiguous<float>('f');
            with_dtype(from, [&]<class T>() { logsumexp<T>(rows, reinterpret_cast<T*>(values)); });
        }
    });
    m.def("sum", [](nb::handle values) {
        const Array array(values, Array::read);
        const double* data = array.contiguous<const double>('d');
        const int64_t n = array.elements().walk.size();
        nb::gil_scoped_release unlocked;
        return sum(data, n);
    });

    m.def(
        "cross_entropy",
        [](nb::handle logits, const std::vector<int>& axes, nb::handle labels, nb::handle weight, nb::handle upstream, double scale,
           nb::handle losses, nb::handle gradient) {
            const CrossEntropyArrays arrays(logits, axes, weight, upstream, scale, losses, gradient);
            const Array indices(labels, Array::read);
            const int64_t* classes = indices.contiguous<const int64_t>('l');
            with_dtype(arrays.logits, [&]<class T>() { cross_entropy<T>(arrays.call, classes); });
        },
        nb::arg("logits"), nb::arg("axes"), nb::arg("labels"), nb::arg("weight").none(), nb::arg("upstream").none(), nb::arg("scale"),
        nb::arg("losses"), nb::arg("gradient").none());

    m.def(
        "soft_cross_entropy",
        [](nb::handle logits, const std::vector<int>& axes, nb::handle labels, nb::handle probabilities, nb::handle class_weight,
           double smoothing, nb::handle weight, nb::handle upstream, double scale, nb::handle losses, nb::handle gradient) {
            const CrossEntropyArrays arrays(logits, axes, weight, upstream, scale, losses, gradient);
            const OptionalArray indices = optional_array(labels, Array::read);
            const OptionalArray given = optional_array(probabilities, Array::read);
            const OptionalArray weights = optional_array(class_weight, Array::read);
            Targets targets{data_or_null<const int64_t>(indices, 'l'), std::nullopt, false,
                            data_or_null<const double>(weights, 'd'), smoothing};
            if (given) {
                targets.probabilities = given->rows(axes);
                targets.probabilities_are_double = given->is_double();
            }
            with_dtype(arrays.logits, [&]<class T>() { soft_cross_entropy<T>(arrays.call, targets); });
        },
        nb::arg("logits"), nb::arg("axes"), nb::arg("labels").none(), nb::arg("probabilities").none(), nb::arg("class_weight").none(),
        nb::arg("smoothing"), nb::arg("weight").none(), nb::arg("upstream").none(), nb::arg("scale"), nb::arg("losses"),
        nb::arg("gradient").none());

    m.def(
        "probability_weights",
        [](nb::handle probabilities, const std::vector<int>& axes, nb::handle class_weight, nb::handle out) {
            const Array given(probabilities, Array::read), to(out, Array::write);
            const OptionalArray weights = optional_array(class_weight, Array::read);
            const RowView rows = given.rows(axes);
            const double* w = data_or_null<const double>(weights, 'd');
            double* result = to.contiguous<double>('d');
            with_dtype(given, [&]<class T>() { probability_weights<T>(rows, w, result); });
        },
        nb::arg("probabilities"), nb::arg("axes"), nb::arg("class_weight").none(), nb::arg("out"));
}
