// Instantiates the row kernels; compiled once per instruction set (see isa.def).
#include "kernels.hpp"

#include "conversions.hpp"
#include "elementwise.hpp"
#include "few_classes.hpp"
#include "few_soft_cross_entropy.hpp"
#include "row_cross_entropy.hpp"
#include "row_log_softmax.hpp"
#include "row_logsumexp.hpp"
#include "row_products.hpp"
#include "row_soft_cross_entropy.hpp"
#include "row_softmax.hpp"
#include "row_token_logprobs.hpp"
#include "sparse_rows.hpp"
#include "tiles.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T, bool two_parts>
constexpr DenseKernels<T> dense = {
    softmax_row<T, two_parts>,
    log_softmax_row<T, two_parts>,
    soft_cross_entropy_row<T, two_parts>,
    product_row<T, two_parts>,
};

template <class T, class Index>
constexpr SparseKernels<T, Index> sparse = {sparse_product<T, Index>, sparse_transposed_product<T, Index>};

template <class T>
constexpr RowKernels<T> rows = {
    dense<T, false>, logsumexp_row<T>, cross_entropy_row<T>, token_logprobs_row<T>, map<T, Sigmoid>, map<T, LogSigmoid>,
    fill_tile<T>, drain_tile<T>,
    {Simd<T>::width, few_softmax<T>, few_log_softmax<T>, few_logsumexp<T>, few_cross_entropy<T>, few_soft_cross_entropy<T>, few_product<T>},
    sparse<T, int32_t>, sparse<T, int64_t>,
};

template <class Format>
constexpr Conversions conversions = {widen_row<Format>, narrow_row<Format>};

extern const Kernels kernels;
const Kernels kernels = {rows<float>, rows<double>, dense<double, true>, log_normalizer_row, sum_row, few_sums, conversions<Float16Pack>, conversions<BFloat16Pack>};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
