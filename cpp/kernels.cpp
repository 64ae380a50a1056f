// Instantiates the row kernels; compiled once per instruction set (see isa.def).
#include "kernels.hpp"

#include "elementwise.hpp"
#include "row_cross_entropy.hpp"
#include "row_log_softmax.hpp"
#include "row_logsumexp.hpp"
#include "row_soft_cross_entropy.hpp"
#include "row_softmax.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

template <class T>
constexpr RowKernels<T> table = {
    softmax_row<T>,        log_softmax_row<T>, logsumexp_row<T>,   cross_entropy_row<T>,
    soft_cross_entropy_row<T>, map<T, Sigmoid>,    map<T, LogSigmoid>,
};

extern const Kernels kernels;
const Kernels kernels = {table<float>, table<double>, sum_row};

}  // namespace softgrad::SOFTGRAD_ISA_NAME
