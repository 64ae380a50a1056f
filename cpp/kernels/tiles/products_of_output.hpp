// The products of rows/products_of_output.hpp, of a tile.
#pragma once

#include "kernels/arithmetic/products_of_output.hpp"
#include "kernels/tiles/sums.hpp"

namespace softgrad::SOFTGRAD_ISA_NAME {

// The product times `scale`, in the place of the tile of outputs, with the rows of v.
template <class T>
void product_of_output_tile(Product product, T* tile, const T* v, int64_t n, int64_t rows, double scale) {
    for (int64_t i = 0; i < rows; i += Simd<T>::width) {
        T* const outputs = tile + i;
        const T* const vectors = v + i;
        Vec<T> largest = broadcast(T(-infinity)), v_k{};
        auto each_entry = [&](auto use) __attribute__((always_inline)) {
            // A row without probabilities has no product.
            const Mask<T> regular = largest - largest == Vec<T>{};
            for (int64_t j = 0; j < n; ++j) {
                T* const at = outputs + j * tile_rows;
                store(at, regular ? use(load(at), load(vectors + j * tile_rows)) : broadcast(T(not_a_number)));
            }
        };
        if (product == Product::log_softmax_cotangent) {
            TwoParts<Double> of_others[halves<T>] = {};
            for (int64_t j = 0; j < n; ++j) {
                const Vec<T> y = load(outputs + j * tile_rows), g = load(vectors + j * tile_rows);
                const Vec<T> other = is_certain<T>(y) ? Vec<T>{} : g;
                v_k = is_certain<T>(y) ? g : v_k;
                largest = maximum(y, largest);
                for (int h = 0; h < halves<T>; ++h) add_term<T>(of_others[h], half_of(other, h));
            }
            Double others[halves<T>];
            for (int h = 0; h < halves<T>; ++h) others[h] = of_others[h].high + of_others[h].low;
            make_cotangents<T>(CotangentSums<T>(largest, v_k, others, scale), scale, each_entry);
            continue;
        }
        for (int64_t j = 0; j < n; ++j) {
            const Vec<T> output = load(outputs + j * tile_rows), entry = load(vectors + j * tile_rows);
            v_k = output > largest ? entry : v_k;
            largest = maximum(output, largest);
        }
        HalfDeviation<T> half(v_k);
        TwoParts<Double> of_pack[halves<T>] = {};
        auto add = [&]<bool logarithms>() __attribute__((always_inline)) {
            for (int64_t j = 0; j < n;) {
                Vec<T> four{};
                for (const int64_t end = j + 4 < n ? j + 4 : n; j < end; ++j) {
                    Vec<T> p = load(outputs + j * tile_rows);
                    if constexpr (logarithms) p = probability_of<T>(p);
                    four = fma(p, half.from_centre(load(vectors + j * tile_rows)), four);
                }
                for (int h = 0; h < halves<T>; ++h) add_term<T>(of_pack[h], half_of(four, h));
            }
        };
        if (product == Product::softmax)
            add.template operator()<false>();
        else
            add.template operator()<true>();
        Double apart[halves<T>];
        for (int h = 0; h < halves<T>; ++h) apart[h] = of_pack[h].high + of_pack[h].low;
        half.apart = joined(apart, Vec<T>{});
        make_deviations(product, half, scale, each_entry);
    }
}

}  // namespace softgrad::SOFTGRAD_ISA_NAME
