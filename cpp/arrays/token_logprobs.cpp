#include "arrays/token_logprobs.hpp"

#include "arrays/parallel_rows.hpp"

namespace softgrad {

template <class S>
void token_logprobs(const RowView& logits, const int64_t* labels, double* logprobs, double* entropies, int64_t* ranks) {
    using T = Compute<S>;
    const int64_t n = logits.entries.size();
    const auto kernel = kernels<T>().token_logprobs;
    for_row_ranges<S>(logits, [&](int64_t begin, int64_t end) {
        each_row<S>(logits, nullptr, begin, end, [&](int64_t r, const T* x, T*) {
            const TokenRow row = kernel(x, n, labels[r]);
            logprobs[r] = row.logprob;
            entropies[r] = row.entropy;
            ranks[r] = row.rank;
        });
    });
}

#define SOFTGRAD_INSTANTIATE(name, S, format) \
    template void token_logprobs<S>(const RowView&, const int64_t*, double*, double*, int64_t*);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
