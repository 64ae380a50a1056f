// A NumPy array seen as rows: which element of memory is entry j of row r, for any strides and any class axes.
#pragma once

#include <cstdint>
#include <vector>

namespace softgrad {

struct Dimension {
    int64_t size, stride;  // stride in bytes
};

// Odometer over dimensions, the last the fastest; neighbours that step alike are one dimension.
class Walk {
  public:
    explicit Walk(std::vector<Dimension> dimensions);

    int64_t size() const { return size_; }
    int64_t offset(int64_t index) const;
    // Whether the entries stand `itemsize` bytes apart.
    bool contiguous(int64_t itemsize) const {
        return size_ <= 1 || (dimensions_.size() == 1 && dimensions_[0].stride == itemsize);
    }

    // Whether `count` entries from `first` on stand `itemsize` bytes apart.
    bool contiguous(int64_t first, int64_t count, int64_t itemsize) const {
        if (count <= 1) return true;
        return !dimensions_.empty() && dimensions_.back().stride == itemsize &&
               first % dimensions_.back().size + count <= dimensions_.back().size;
    }

    // Calls visit(index, offset) for index in [begin, end).
    template <class Visit>
    void each(int64_t begin, int64_t end, Visit visit) const {
        if (dimensions_.empty()) {
            for (int64_t i = begin; i < end; ++i) visit(i, 0);
            return;
        }
        const auto [inner, step] = dimensions_.back();
        while (begin < end) {
            int64_t at = offset(begin);
            const int64_t run = inner - begin % inner, stop = begin + run < end ? begin + run : end;
            for (; begin < stop; ++begin, at += step) visit(begin, at);
        }
    }

  private:
    std::vector<Dimension> dimensions_;
    int64_t size_;
};

struct Elements {
    char* data;
    Walk walk;
};

struct RowView {
    char* data;
    Walk rows, entries;
};

}  // namespace softgrad
