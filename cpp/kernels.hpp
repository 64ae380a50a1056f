// The row kernels of one instruction set, as a table. Rows are contiguous here; layout and threads are the caller's.
#pragma once

#include <stdint.h>

namespace softgrad {

template <class T>
struct RowKernels {
    void (*softmax)(const T* x, T* out, int64_t n);
    void (*log_softmax)(const T* x, T* out, int64_t n);
    T (*logsumexp)(const T* x, int64_t n);
    double (*cross_entropy)(const T* x, int64_t n, int64_t target, double scale, T* gradient);
    double (*soft_cross_entropy)(const T* x, int64_t n, const double* q, double scale, T* gradient);
    void (*sigmoid)(const T* x, T* out, int64_t n);
    void (*log_sigmoid)(const T* x, T* out, int64_t n);
};

struct Kernels {
    RowKernels<float> float32;
    RowKernels<double> float64;
    double (*sum)(const double* values, int64_t n);
};

}  // namespace softgrad
