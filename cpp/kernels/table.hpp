// The kernels of one instruction set, as a table. Rows are contiguous here; layout and threads are the caller's.
#pragma once

#include <stdint.h>

namespace softgrad {

// What is done with a row, its probabilities p and up to two vectors v and w (rows/products.hpp).
enum class Product {
    softmax,                // p (v - <p, v>): of the Jacobian of softmax, which is the Hessian of logsumexp
    log_softmax_tangent,    // v - <p, v>
    log_softmax_cotangent,  // v - p sum v
    mean,                   // <p, v> alone
    probabilities,          // p; no v
    variances,              // p (1 - p); no v
    softmax_second,         // p (d - <p, d>), d = (v - <p, v>) (w - <p, w>): of the second derivative of softmax
};

// Rows of n entries that go through a kernel together, at most as many as a vector has lanes. x_low: null, but for the
// kernels of rows in two parts. out: null where a kernel writes no rows; a row of it may be that of x.
constexpr int64_t most_rows = 16;
template <class T>
struct Rows {
    const T* const* x;
    const T* const* x_low;
    T* const* out;
    int64_t n, count;
};

template <class T>
struct RowKernels {
    void (*softmax)(const Rows<T>& rows);
    void (*log_softmax)(const Rows<T>& rows);
    // losses[i] against the target at q + i * n, unscaled; the gradient, where there is an out, times scale[i].
    // `origin`, in two parts, is what was subtracted from the logits before; only the z-loss depends on it.
    void (*soft_cross_entropy)(const Rows<T>& rows, const double* q, double z_loss, double origin, double origin_low,
                               const double* scale, double* losses);
    // Of row i with v[i] and w[i], times scale[i]; the mean goes to means[i], if they are wanted, and has no scale. out
    // holds the exponentials in between and may be x, not v.
    void (*product)(Product product, const Rows<T>& rows, const T* const* v, const T* const* w, const double* scale,
                    double* means);
};

struct TokenRow {
    double logprob, entropy;
    int64_t rank;
};

// Rows of at most this many classes are worked on with lanes across rows (tiles/). It is the length alone that decides:
// the bits of a row must not depend on its neighbours or its layout.
constexpr int64_t most_tile_classes = 64;

// 64 classes are whole vectors: where a row is written, moving it to a tile costs more than its scalars.
constexpr int64_t most_tile_classes_written = 63;

// For what reads two rows and takes few exponentials, moving longer ones to tiles costs more than their scalars.
constexpr int64_t most_tile_classes_of_output = 20;

// Short rows come in tiles: entry j of row i at tile[j * tile_rows + i], the first `rows` of them filled, a multiple of
// `together`. The result takes the place of the tile.
constexpr int64_t tile_rows = 64;
template <class T>
struct TileKernels {
    void (*softmax)(T* tile, int64_t n, int64_t rows);
    void (*log_softmax)(T* tile, int64_t n, int64_t rows);
    void (*logsumexp)(const T* tile, int64_t n, int64_t rows, T* out);
    // The gradient takes the place of the tile where `scale` is given.
    void (*cross_entropy)(T* tile, int64_t n, int64_t rows, const int64_t* labels, const double* scale, double* losses);
    // q: a tile of targets.
    void (*soft_cross_entropy)(T* tile, int64_t n, int64_t rows, const double* q, const double* scale, double* losses);
    // v, w: tiles as well, or null. The mean goes to means[i] and has no scale.
    void (*product)(Product product, T* tile, const T* v, const T* w, int64_t n, int64_t rows, const double* scale,
                    double* means);
    // The tile: of outputs.
    void (*product_of_output)(Product product, T* tile, const T* v, int64_t n, int64_t rows, double scale);
    // What of weighted rows goes into a product of matrices (tiles/curvature.hpp).
    void (*clear)(T* tile, int64_t n, int64_t rows, const double* weights, double least);
    void (*curvature)(T* tile, const T* v, int64_t n, int64_t rows, const double* weights, double least);
    void (*scale)(const T* tile, int64_t n, int64_t rows, const double* factors, T* out);
    void (*add_sums)(const T* tile, int64_t n, int64_t rows, double* sums);
};

// Dense rows times a matrix of few columns, and their transpose times a tile (dense_products.hpp).
template <class T>
struct DenseKernels {
    void (*product)(const T* x, int64_t n, int64_t d, const T* weight, int64_t apart, const T* bias, T* out);
    void (*transposed_product)(const T* x, int64_t n, int64_t d, const T* tile, int64_t k, T* out, T* rest);
};

// Rows in CSR form times a dense matrix of k columns, and their transpose (sparse_products.hpp).
template <class T, class Index>
struct SparseKernels {
    void (*product)(const T* values, const Index* columns, const Index* starts, int64_t n, const T* dense, int64_t k,
                    const T* bias, T* out);
    void (*transposed_product)(const T* values, const Index* columns, const Index* starts, int64_t n, const T* dense,
                               int64_t k, T* out);
};

template <class T>
struct KernelsOf : RowKernels<T> {
    int64_t together;  // rows: as many as a vector has lanes
    void (*logsumexp)(const Rows<T>& rows, T* results);
    // losses[i] of class labels[i], unscaled; the gradient, where there is an out, times scale[i].
    void (*cross_entropy)(const Rows<T>& rows, const int64_t* labels, const double* scale, double* losses);
    TokenRow (*token_logprobs)(const T* x, int64_t n, int64_t label);
    void (*sigmoid)(const T* x, T* out, int64_t n);
    void (*log_sigmoid)(const T* x, T* out, int64_t n);
    void (*clear_below)(T* x, const T* v, int64_t n, double least);
    // Between `count` contiguous rows of n entries in memory, `stride` bytes apart, and the n columns of a tile,
    // `apart` elements apart, from the first of it on.
    void (*fill)(const char* rows, int64_t stride, int64_t n, int64_t count, T* tile, int64_t apart);
    void (*drain)(const T* tile, int64_t apart, int64_t n, int64_t count, char* rows, int64_t stride);
    TileKernels<T> tiles;
    DenseKernels<T> dense;
    SparseKernels<T, int32_t> sparse32;
    SparseKernels<T, int64_t> sparse64;
    // Products of the outputs of softmax or log_softmax, x here, instead of their arguments.
    void (*products_of_output)(Product product, const Rows<T>& outputs, const T* const* v, double scale);
};

// Rows of a two-byte dtype, by their bits.
struct Conversions {
    void (*widen)(const uint16_t* from, float* to, int64_t n);
    void (*narrow)(const float* from, uint16_t* to, int64_t n);
};

struct Kernels {
    KernelsOf<float> float32;
    KernelsOf<double> float64;
    // For rows x + x_low whose maximum has no second part.
    RowKernels<double> two_parts;
    void (*log_normalizer)(const double* x, const double* x_low, int64_t n, double* parts);
    double (*sum)(const double* values, int64_t n);
    void (*sum_tile)(const double* tile, int64_t n, int64_t rows, double* sums);
    Conversions float16, bfloat16;
};

}  // namespace softgrad
