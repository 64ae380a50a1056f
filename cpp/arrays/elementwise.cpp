#include "arrays/elementwise.hpp"

#include <type_traits>

#include "arrays/parallel_rows.hpp"

namespace softgrad {

template <class S>
void map_elements(ElementMap function, const Elements& x, const Elements& out) {
    using T = Compute<S>;
    const auto kernel = function == ElementMap::sigmoid ? kernels<T>().sigmoid : kernels<T>().log_sigmoid;
    const bool direct = std::is_same_v<S, T> && x.walk.contiguous(sizeof(S)) && out.walk.contiguous(sizeof(S));
    for_ranges(x.walk.size(), 1, 1, [&](int64_t begin, int64_t end) {
        if (direct) {
            kernel(reinterpret_cast<const T*>(x.data) + begin, reinterpret_cast<T*>(out.data) + begin, end - begin);
            return;
        }
        Scratch<T, Use::rows> scratch(end - begin);
        T* gathered = scratch.data();
        x.walk.each(begin, end, [&](int64_t i, int64_t at) {
            gathered[i - begin] = widen(*reinterpret_cast<const S*>(x.data + at));
        });
        kernel(gathered, gathered, end - begin);
        out.walk.each(begin, end, [&](int64_t i, int64_t at) {
            *reinterpret_cast<S*>(out.data + at) = narrow_to<S>(gathered[i - begin]);
        });
    });
}

#define SOFTGRAD_INSTANTIATE(name, S, format) \
    template void map_elements<S>(ElementMap, const Elements&, const Elements&);
SOFTGRAD_DTYPES(SOFTGRAD_INSTANTIATE)
#undef SOFTGRAD_INSTANTIATE

}  // namespace softgrad
