#include "arrays/regression_sums.hpp"

namespace softgrad {

namespace {

// Rows of k entries, `apart` from each other, as a tile; what it lacks to whole vectors is 0.
template <class T>
void fill_tile(const T* rows, int64_t apart, int64_t k, int64_t count, T* tile) {
    const int64_t whole = whole_packs<T>(count);
    for (int64_t c = 0; c < k && whole != count; ++c)
        std::fill(tile + c * tile_rows + count, tile + c * tile_rows + whole, T(0));
    kernels<T>().fill(reinterpret_cast<const char*>(rows), apart * static_cast<int64_t>(sizeof(T)), k, count, tile,
                      tile_rows);
}

// Adds what slopes_of(first row, count, rows of the tile, tile of logits, weights) leaves by each logit, which is a
// tile that it returns. The weights of what is missing to whole vectors are 0.
template <class Features, class T, class SlopesOf>
void through_logits(const Features& features, const double* weights, const AffineLogits<T>& logits,
                    const ByAffine<T>& out, const SlopesOf& slopes_of) {
    const KernelsOf<T>& kernel = kernels<T>();
    const int64_t k = logits.k;
    typename Features::Affine affine(features, logits.weight, logits.bias, k);
    Scratch<T, Use::rows> row_scratch(tile_rows * affine.apart());
    Scratch<T, Use::other_rows> tile_scratch(tile_rows * k);
    T *const rows = row_scratch.data(), *const tile = tile_scratch.data();
    for (int64_t first = 0; first < features.n; first += tile_rows) {
        const int64_t count = std::min(tile_rows, features.n - first);
        const int64_t whole = whole_packs<T>(count);
        double of_tile[tile_rows] = {};
        std::copy_n(weights + first, count, of_tile);
        affine(first, count, rows);
        features.fetch(first + count, std::min(tile_rows, features.n - first - count));
        fill_tile(rows, affine.apart(), k, count, tile);
        const T* const slopes = slopes_of(first, count, whole, tile, of_tile);
        if (out.bias) kernel.tiles.add_sums(slopes, k, whole, out.bias);
        features.gather(first, count, slopes, k, out.weight);
    }
}

}  // namespace

template <class Features>
double add_loss_gradient(const Features& features, const int64_t* labels, const double* weights, double least,
                         const AffineLogits<typename Features::Entry>& logits,
                         const ByAffine<typename Features::Entry>& out) {
    using T = typename Features::Entry;
    Scratch<double, Use::losses> weighted(features.n);
    through_logits(features, weights, logits, out,
                   [&](int64_t first, int64_t count, int64_t whole, T* tile, const double* of_tile) {
        int64_t of_rows[tile_rows] = {};
        std::copy_n(labels + first, count, of_rows);
        double losses[tile_rows];
        kernels<T>().tiles.cross_entropy(tile, logits.k, whole, of_rows, of_tile, losses);
        for (int64_t i = 0; i < count; ++i)
            weighted.data()[first + i] = of_tile[i] == 0.0 ? 0.0 : of_tile[i] * losses[i];
        kernels<T>().tiles.clear(tile, logits.k, whole, of_tile, least);
        return tile;
    });
    return sum(weighted.data(), features.n);
}

template <class Features>
void add_hessian_product(const Features& features, const typename Features::Entry* probabilities, const double* weights,
                         double least, const AffineLogits<typename Features::Entry>& direction,
                         const ByAffine<typename Features::Entry>& out) {
    using T = typename Features::Entry;
    const int64_t k = direction.k;
    Scratch<T, Use::target> scratch(tile_rows * k);
    T* const slopes = scratch.data();
    through_logits(features, weights, direction, out,
                   [&](int64_t first, int64_t count, int64_t whole, const T* v, const double* of_tile) {
        fill_tile(probabilities + first * k, k, k, count, slopes);
        kernels<T>().tiles.curvature(slopes, v, k, whole, of_tile, least);
        return slopes;
    });
}

namespace {

// Of each row what the features' products are multiplied by, for the block of the classes a and b: the weight times
// p_a (1 - p_a), or times -p_a p_b. Of 1 - p no digits would be left where p is near 1. The p of a row without weight
// may be NaN.
template <class T>
void find_factors(const T* p, int64_t k, int64_t a, int64_t b, const double* weights, int64_t count, double* factors) {
    std::fill(factors, factors + count, 0.0);
    for (int64_t c = 0; c < k; ++c)
        if (a == b ? c != a : c == b)
            for (int64_t i = 0; i < count; ++i) factors[i] += static_cast<double>(p[c * tile_rows + i]);
    const double sign = a == b ? 1.0 : -1.0;
    for (int64_t i = 0; i < count; ++i)
        factors[i] =
            weights[i] == 0.0 ? 0.0 : factors[i] * sign * weights[i] * static_cast<double>(p[a * tile_rows + i]);
}

}  // namespace

template <class T>
void add_hessian_matrix(const DenseFeatures<T>& features, const T* weight, int64_t k, const double* weights,
                        const int64_t* others, int64_t m, double* out) {
    const KernelsOf<T>& kernel = kernels<T>();
    const int64_t d = features.d, size = d * d, blocks = m * (m + 1) / 2;
    typename DenseFeatures<T>::Affine affine(features, weight, nullptr, k);
    Scratch<T, Use::rows> row_scratch(tile_rows * std::max(affine.apart(), d));
    Scratch<T, Use::other_rows> tile_scratch(tile_rows * d);
    Scratch<T, Use::target> probability_scratch(tile_rows * k);
    Scratch<T, Use::vector> sum_scratch(blocks * size);
    T *const rows = row_scratch.data(), *const tile = tile_scratch.data(), *const p = probability_scratch.data(),
             *const sums = sum_scratch.data();
    std::fill(sums, sums + blocks * size, T(0));
    for (int64_t first = 0; first < features.n; first += tile_rows) {
        const int64_t count = std::min(tile_rows, features.n - first), whole = whole_packs<T>(count);
        affine(first, count, rows);
        fill_tile(rows, affine.apart(), k, count, p);
        kernel.tiles.softmax(p, k, whole);
        fill_tile(features.row(first), d, d, count, tile);
        double factors[tile_rows] = {};
        T* block = sums;
        for (int64_t a = 0; a < m; ++a)
            for (int64_t b = 0; b <= a; ++b, block += size) {
                find_factors(p, k, others[a], others[b], weights + first, count, factors);
                kernel.tiles.scale(tile, d, whole, factors, rows);
                features.gather(first, count, rows, d, block);
            }
    }
    const T* block = sums;
    for (int64_t a = 0; a < m; ++a)
        for (int64_t b = 0; b <= a; ++b, block += size)
            for (int64_t i = 0; i < d; ++i)
                for (int64_t j = 0; j < d; ++j) out[((a * d + i) * m + b) * d + j] += block[i * d + j];
}

#define SOFTGRAD_MATRIX_OF(T)                                                                                   \
    template void add_hessian_matrix(const DenseFeatures<T>&, const T*, int64_t, const double*, const int64_t*, \
                                     int64_t, double*);
SOFTGRAD_MATRIX_OF(float)
SOFTGRAD_MATRIX_OF(double)

#define SOFTGRAD_FEATURES(T, ...)                                                                                  \
    template double add_loss_gradient(const __VA_ARGS__&, const int64_t*, const double*, double,                   \
                                      const AffineLogits<T>&, const ByAffine<T>&);                                 \
    template void add_hessian_product(const __VA_ARGS__&, const T*, const double*, double, const AffineLogits<T>&, \
                                      const ByAffine<T>&);
#define SOFTGRAD_FEATURES_OF(T)                      \
    SOFTGRAD_FEATURES(T, DenseFeatures<T>)           \
    SOFTGRAD_FEATURES(T, SparseFeatures<T, int32_t>) \
    SOFTGRAD_FEATURES(T, SparseFeatures<T, int64_t>)
SOFTGRAD_FEATURES_OF(float)
SOFTGRAD_FEATURES_OF(double)

}  // namespace softgrad
