// Rows of logits that an option transforms before all else: classes left out by a mask, softcap c (x becomes c tanh(x /
// c)), temperature T (divided by it). A row is written in double as its difference from its maximum, in two parts, so
// that the kernels lose nothing to the transformation.
#pragma once

#include <cstdint>
#include <optional>

#include "arrays/layout.hpp"

namespace softgrad {

struct Transform {
    std::optional<RowView> where;  // bool; false leaves a class out
    double softcap;                // infinity: none
    double temperature;

    bool has_softcap() const;
    bool is_identity() const;
};

struct StagedRow {
    double* high;
    double* low;
    const unsigned char* allowed;  // null: all
    int64_t allowed_count;
    double maximum;  // what was subtracted; 0 where the maximum is not finite
    double maximum_low;
};

// The memory that one staged row takes, in doubles.
inline int64_t staged_size(int64_t n) { return 2 * n + (n + 7) / 8; }

// x is worked on in T (float or double); memory holds staged_size(n) doubles.
template <class T>
StagedRow stage_row(const T* x, int64_t n, const Transform& transform, int64_t row, double* memory);

// A vector that goes with a staged row: in double, 0 in the classes that are left out.
template <class T>
const double* masked_vector(const T* v, int64_t n, const StagedRow& row, double* memory) {
    for (int64_t j = 0; j < n; ++j) memory[j] = row.allowed && !row.allowed[j] ? 0.0 : static_cast<double>(v[j]);
    return memory;
}

// A gradient by the transformed logit, times the derivative of the transformation at x.
template <class T>
T pulled_back(const Transform& transform, T x, double gradient);

}  // namespace softgrad
