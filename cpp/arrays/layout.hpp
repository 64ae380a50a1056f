// A NumPy array seen as rows: which element of memory is entry j of row r, for any strides and any class axes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace softgrad {

struct Dimension {
    int64_t size, stride;  // stride in bytes
};

// At most as many as NumPy has, in place: allocations were a quarter of a small call.
class Dimensions {
  public:
    Dimensions() = default;
    Dimensions(const Dimensions& other) { *this = other; }
    Dimensions& operator=(const Dimensions& other) {
        size_ = other.size_;
        for (size_t d = 0; d < size_; ++d) all_[d] = other.all_[d];
        return *this;
    }
    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }
    void clear() { size_ = 0; }
    void push_back(Dimension dimension) { all_[size_++] = dimension; }
    Dimension& back() { return all_[size_ - 1]; }
    const Dimension& back() const { return all_[size_ - 1]; }
    const Dimension& operator[](size_t d) const { return all_[d]; }
    const Dimension* begin() const { return all_; }
    const Dimension* end() const { return all_ + size_; }

  private:
    Dimension all_[64];
    size_t size_ = 0;
};

// Odometer over dimensions, the last the fastest; those that one stride runs through are one dimension.
class Walk {
  public:
    explicit Walk(const Dimensions& dimensions);

    int64_t size() const { return size_; }
    // Inline where one stride runs through all: a call for each row took as long as a tenth of 64 entries.
    int64_t offset(int64_t index) const {
        return dimensions_.size() == 1 ? index * dimensions_[0].stride : offset_of_dimensions(index);
    }
    // Whether the entries stand `itemsize` bytes apart.
    bool contiguous(int64_t itemsize) const {
        return size_ <= 1 || (dimensions_.size() == 1 && dimensions_[0].stride == itemsize);
    }

    // How many bytes neighbours stand apart, but for those where a run ends.
    int64_t stride() const { return dimensions_.empty() ? 0 : dimensions_.back().stride; }

    // Calls visit(first, count, offset, stride) for the runs of [begin, end) whose neighbours stand `stride` bytes
    // apart.
    template <class Visit>
    void each_run(int64_t begin, int64_t end, Visit visit) const {
        const auto [inner, stride] = dimensions_.empty() ? Dimension{size_, 0} : dimensions_.back();
        while (begin < end) {
            const int64_t run = inner - begin % inner, count = begin + run < end ? run : end - begin;
            visit(begin, count, offset(begin), stride);
            begin += count;
        }
    }

    // Calls visit(index, offset) for index in [begin, end).
    template <class Visit>
    void each(int64_t begin, int64_t end, Visit visit) const {
        each_run(begin, end, [&](int64_t first, int64_t count, int64_t at, int64_t stride) {
            for (int64_t i = first; i < first + count; ++i, at += stride) visit(i, at);
        });
    }

  private:
    int64_t offset_of_dimensions(int64_t index) const;

    Dimensions dimensions_;
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

// What is read beside x: k arrays of its shape, and the same rows of them.
template <size_t k>
using Views = std::array<const RowView*, k>;
template <class T, size_t k>
using Vectors = std::array<const T*, k>;

}  // namespace softgrad
