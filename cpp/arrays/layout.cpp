#include "arrays/layout.hpp"

#include <cstddef>

namespace softgrad {

Walk::Walk(const Dimensions& dimensions) : size_(1) {
    for (const auto& next : dimensions) {
        size_ *= next.size;
        if (next.size == 1) continue;
        if (!dimensions_.empty() && dimensions_.back().stride == next.stride * next.size)
            dimensions_.back() = {dimensions_.back().size * next.size, next.stride};
        else
            dimensions_.push_back(next);
    }
    if (size_ == 0) dimensions_.clear();
}

int64_t Walk::offset_of_dimensions(int64_t index) const {
    int64_t result = 0;
    for (size_t d = dimensions_.size(); d-- > 1;) {
        result += index % dimensions_[d].size * dimensions_[d].stride;
        index /= dimensions_[d].size;
    }
    return dimensions_.empty() ? 0 : result + index * dimensions_[0].stride;
}

}  // namespace softgrad
