// Vectors of all unknowns of a softmax regression: arrays (k, p), a row of each class. Every function works on a range
// of their columns, so that threads can share them, and goes over each array once.
#pragma once

#include <cstdint>

namespace softgrad {

// The columns [begin, end) of arrays (k, p).
struct Columns {
    int64_t k, p, begin, end;
};

// What is subtracted from features and what they are multiplied by then, (d,) both.
struct Standardisation {
    const double *centre, *inverse_scale;
    int64_t d;
};

struct InnerProducts {
    double with_result, with_pull;
};

// direction += length * search, residual -= length * curved.
void advance(const Columns& columns, double length, const double* search, const double* curved, double* direction,
             double* residual);

// search = next + ratio * search.
void turn(const Columns& columns, double ratio, const double* next, double* search);

// out = residual / diagonal less its mean over the classes; gives the inner product of residual and out.
double divide(const Columns& columns, const double* residual, const double* diagonal, double* out);

// result -= its mean over the classes, result += ridge * theta; gives the inner products of theta with the result, and
// with ridge * theta.
InnerProducts add_pull(const Columns& columns, const double* ridge, const double* theta, double* result);

// Weights of features as they are, of theta on standardised ones: (k, d), or `transposed` (d, k). Adds what the centre
// times the weights is to `along` (k,).
template <class T>
void to_weights(const Columns& columns, const double* theta, const Standardisation& of, bool transposed, T* weights,
                double* along);

// Its transpose: derivatives by theta, of those by weights and by biases, which are null without an intercept. That of
// the intercept is the last column.
void from_weights(const Columns& columns, const double* by_weights, const double* by_biases, const Standardisation& of,
                  bool transposed, double* by_theta);

}  // namespace softgrad
