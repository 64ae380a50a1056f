// Instantiates the kernels; compiled once per instruction set (dispatch/isa.def).
#include "kernels/conversions.hpp"
#include "kernels/dense_products.hpp"
#include "kernels/negligible.hpp"
#include "kernels/rows/cross_entropy.hpp"
#include "kernels/rows/log_softmax.hpp"
#include "kernels/rows/logsumexp.hpp"
#include "kernels/rows/products.hpp"
#include "kernels/rows/products_of_output.hpp"
#include "kernels/rows/soft_cross_entropy.hpp"
#include "kernels/rows/softmax.hpp"
#include "kernels/rows/sum.hpp"
#include "kernels/rows/token_logprobs.hpp"
#include "kernels/sigmoid.hpp"
#include "kernels/sparse_products.hpp"
#include "kernels/table.hpp"
#include "kernels/tiles/cross_entropy.hpp"
#include "kernels/tiles/curvature.hpp"
#include "kernels/tiles/log_softmax.hpp"
#include "kernels/tiles/logsumexp.hpp"
#include "kernels/tiles/products.hpp"
#include "kernels/tiles/products_of_output.hpp"
#include "kernels/tiles/soft_cross_entropy.hpp"
#include "kernels/tiles/softmax.hpp"
#include "kernels/tiles/sums.hpp"
#include "kernels/tiles/transposition.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T, bool two_parts>
constexpr RowKernels<T> row_kernels = {
    softmax_rows<T, two_parts>,
    log_softmax_rows<T, two_parts>,
    soft_cross_entropy_rows<T, two_parts>,
    product_rows<T, two_parts>,
};

template <class T, class Index>
constexpr SparseKernels<T, Index> sparse_kernels = {sparse_product<T, Index>, sparse_transposed_product<T, Index>};

template <class T>
constexpr KernelsOf<T> kernels_of = {
    row_kernels<T, false>,
    Simd<T>::width,
    logsumexp_rows<T>,
    cross_entropy_rows<T>,
    token_logprobs_row<T>,
    map<T, Sigmoid>,
    map<T, LogSigmoid>,
    clear_below<T>,
    fill_tile<T>,
    drain_tile<T>,
    {softmax_tile<T>, log_softmax_tile<T>, logsumexp_tile<T>, cross_entropy_tile<T>, soft_cross_entropy_tile<T>,
     product_tile<T>, product_of_output_tile<T>, clear_tile<T>, curvature_tile<T>, scale_tile<T>, add_sums_of_tile<T>},
    {dense_product<T>, dense_transposed_product<T>},
    sparse_kernels<T, int32_t>,
    sparse_kernels<T, int64_t>,
    products_of_output_rows<T>,
};

extern const Kernels kernels;
const Kernels kernels = {kernels_of<float>,
                         kernels_of<double>,
                         row_kernels<double, true>,
                         log_normalizer_row,
                         sum_row,
                         sum_tile,
                         {widen_row<widen_float16>, narrow_row<narrow_float16>},
                         {widen_row<widen_bfloat16>, narrow_row<narrow_bfloat16>}};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
