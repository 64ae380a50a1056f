// Arrays as they come in, through the buffer protocol. They were checked by softgrad, which is the only caller.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "arrays/layout.hpp"

namespace softgrad::python {

namespace nb = nanobind;

using Axes = std::vector<int>;

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

    // Whether it is of a floating dtype of the core, native and aligned: nothing else has a format of that one
    // character.
    bool floating() const {
        const char* format = view_.format;
        return (format[0] == 'd' || format[0] == 'f' || format[0] == 'e') && format[1] == '\0';
    }
    // Whether it is int64, native, aligned and in C order.
    bool class_indices() const {
        return view_.format[1] == '\0' && format() == 'l' && PyBuffer_IsContiguous(&view_, 'C');
    }
    // Whether it has the shape of an array without its last axis.
    bool has_shape_of_rows(const Array& array) const {
        return view_.ndim + 1 == array.view_.ndim &&
               std::equal(view_.shape, view_.shape + view_.ndim, array.view_.shape);
    }
    bool has_shape_and_dtype_of(const Array& array) const {
        return view_.ndim == array.view_.ndim && format() == array.format() && view_.format[1] == '\0' &&
               std::equal(view_.shape, view_.shape + view_.ndim, array.view_.shape);
    }
    // Whether what is found for the elements of `array` can be written here: they are the same elements or others.
    bool takes_results_of(const Array& array) const {
        if (!has_shape_and_dtype_of(array)) return false;
        return apart_from(array) || (view_.buf == array.view_.buf &&
                                     std::equal(view_.strides, view_.strides + view_.ndim, array.view_.strides));
    }
    // Whether it is known to share no memory with `array`.
    bool apart_from(const Array& array) const {
        const auto end = [](const Py_buffer& view) { return static_cast<const char*>(view.buf) + view.len; };
        return PyBuffer_IsContiguous(&view_, 'C') && PyBuffer_IsContiguous(&array.view_, 'C') &&
               (end(view_) <= array.view_.buf || end(array.view_) <= view_.buf);
    }
    Axes last_axis() const { return {view_.ndim - 1}; }
    int ndim() const { return view_.ndim; }
    int64_t size() const { return view_.len / view_.itemsize; }
    // How long an axis of a matrix is.
    int64_t length(int axis) const {
        if (view_.ndim != 2) throw nb::type_error("softgrad._core: wrong buffer");
        return view_.shape[axis];
    }
    // That of an integer by its bits, 'l' for 64 and 'i' for 32: which of C's types has them depends on the system.
    char format() const {
        const char type = view_.format[0];
        return type == 'q' || type == 'l' ? (view_.itemsize == 8 ? 'l' : 'i') : type;
    }

    template <class T>
    T* contiguous(char wanted) const {
        if (format() != wanted || !PyBuffer_IsContiguous(&view_, 'C'))
            throw nb::type_error("softgrad._core: wrong buffer");
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
        return {static_cast<char*>(view_.buf), Walk(dimensions([&](int d) { return !is_class(d); })),
                Walk(dimensions(is_class))};
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

inline OptionalArray optional_array(nb::handle object, Array::Access access) {
    return object.is_none() ? nullptr : std::make_unique<const Array>(object, access);
}

// Null for bfloat16, for what has no numbers, and for what is to be written and may not.
inline OptionalArray array_or_null(nb::handle object, Array::Access access) {
    try {
        return std::make_unique<const Array>(object, access);
    } catch (const nb::python_error&) {
        return nullptr;
    }
}

template <class T>
T* data_or_null(const OptionalArray& array, char format) {
    return array ? array->contiguous<T>(format) : nullptr;
}

// Lets the lock of the interpreter go while there is much to do. Taking it back from a thread that computes takes up to
// 5 ms, so it is kept for what is done in microseconds.
class Unlocked {
  public:
    explicit Unlocked(const Array& array) {
        if (array.size() > 4096) released_.emplace();
    }

  private:
    std::optional<nb::gil_scoped_release> released_;
};

}  // namespace softgrad::python
