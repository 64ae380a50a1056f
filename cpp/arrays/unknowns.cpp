#include "arrays/unknowns.hpp"

#include <algorithm>

namespace softgrad {

namespace {

// Of so many columns at a time those of all classes stay in the caches.
constexpr int64_t block_columns = 128;
// Sums that are made side by side, so that they can be made with vectors.
constexpr int64_t lanes = 8;

// Calls work(first column, how many) for blocks of the columns.
template <class Work>
void for_blocks(const Columns& columns, const Work& work) {
    for (int64_t j = columns.begin; j < columns.end; j += block_columns)
        work(j, std::min(block_columns, columns.end - j));
}

// Calls work(where the row of a class begins, how many) for each class in each block.
template <class Work>
void for_rows(const Columns& columns, const Work& work) {
    for_blocks(columns, [&](int64_t j, int64_t count) {
        for (int64_t c = 0; c < columns.k; ++c) work(c * columns.p + j, count);
    });
}

double inner_product(const double* a, const double* b, int64_t n) {
    double sums[lanes] = {};
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes)
        for (int64_t lane = 0; lane < lanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
    double total = 0.0;
    for (; i < n; ++i) total += a[i] * b[i];
    for (double sum : sums) total += sum;
    return total;
}

// Takes the mean over the classes off the entries of a block.
void centre(const Columns& columns, int64_t j, int64_t count, double* values) {
    double means[block_columns] = {};
    for (int64_t c = 0; c < columns.k; ++c)
        for (int64_t i = 0; i < count; ++i) means[i] += values[c * columns.p + j + i];
    for (int64_t i = 0; i < count; ++i) means[i] /= static_cast<double>(columns.k);
    for (int64_t c = 0; c < columns.k; ++c)
        for (int64_t i = 0; i < count; ++i) values[c * columns.p + j + i] -= means[i];
}

// Those of the columns that are of features.
Columns of_features(const Columns& columns, int64_t d) {
    return {columns.k, columns.p, columns.begin, std::min(columns.end, d)};
}

}  // namespace

void advance(const Columns& columns, double length, const double* search, const double* curved, double* direction,
             double* residual) {
    for_rows(columns, [&](int64_t at, int64_t count) {
        for (int64_t i = at; i < at + count; ++i) {
            direction[i] += length * search[i];
            residual[i] -= length * curved[i];
        }
    });
}

void turn(const Columns& columns, double ratio, const double* next, double* search) {
    for_rows(columns, [&](int64_t at, int64_t count) {
        for (int64_t i = at; i < at + count; ++i) search[i] = ratio * search[i] + next[i];
    });
}

double divide(const Columns& columns, const double* residual, const double* diagonal, double* out) {
    double product = 0.0;
    for_blocks(columns, [&](int64_t j, int64_t count) {
        for (int64_t c = 0; c < columns.k; ++c)
            for (int64_t i = c * columns.p + j; i < c * columns.p + j + count; ++i) out[i] = residual[i] / diagonal[i];
        centre(columns, j, count, out);
        for (int64_t c = 0; c < columns.k; ++c)
            product += inner_product(residual + c * columns.p + j, out + c * columns.p + j, count);
    });
    return product;
}

InnerProducts add_pull(const Columns& columns, const double* ridge, const double* theta, double* result) {
    InnerProducts products{0.0, 0.0};
    for_blocks(columns, [&](int64_t j, int64_t count) {
        centre(columns, j, count, result);
        for (int64_t c = 0; c < columns.k; ++c) {
            const double* const of_class = theta + c * columns.p + j;
            double* const to = result + c * columns.p + j;
            double pulls[block_columns];
            for (int64_t i = 0; i < count; ++i) {
                pulls[i] = ridge[j + i] * of_class[i];
                to[i] += pulls[i];
            }
            products.with_result += inner_product(of_class, to, count);
            products.with_pull += inner_product(of_class, pulls, count);
        }
    });
    return products;
}

template <class T>
void to_weights(const Columns& columns, const double* theta, const Standardisation& of, bool transposed, T* weights,
                double* along) {
    const int64_t k = columns.k;
    for_blocks(of_features(columns, of.d), [&](int64_t j, int64_t count) {
        for (int64_t c = 0; c < k; ++c) {
            double scaled[block_columns];
            for (int64_t i = 0; i < count; ++i) scaled[i] = theta[c * columns.p + j + i] * of.inverse_scale[j + i];
            along[c] += inner_product(scaled, of.centre + j, count);
            T* const to = transposed ? weights + j * k + c : weights + c * of.d + j;
            const int64_t apart = transposed ? k : 1;
            for (int64_t i = 0; i < count; ++i) to[i * apart] = static_cast<T>(scaled[i]);
        }
    });
}

void from_weights(const Columns& columns, const double* by_weights, const double* by_biases, const Standardisation& of,
                  bool transposed, double* by_theta) {
    const int64_t k = columns.k;
    for_blocks(of_features(columns, of.d), [&](int64_t j, int64_t count) {
        for (int64_t c = 0; c < k; ++c) {
            const double* const from = transposed ? by_weights + j * k + c : by_weights + c * of.d + j;
            const int64_t apart = transposed ? k : 1;
            const double by_bias = by_biases ? by_biases[c] : 0.0;
            double* const to = by_theta + c * columns.p + j;
            for (int64_t i = 0; i < count; ++i)
                to[i] = (from[i * apart] - by_bias * of.centre[j + i]) * of.inverse_scale[j + i];
        }
    });
    if (by_biases && columns.end > of.d)
        for (int64_t c = 0; c < k; ++c) by_theta[c * columns.p + of.d] = by_biases[c];
}

template void to_weights(const Columns&, const double*, const Standardisation&, bool, float*, double*);
template void to_weights(const Columns&, const double*, const Standardisation&, bool, double*, double*);

}  // namespace softgrad
