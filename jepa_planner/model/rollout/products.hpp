// Matrix products in tiles that stay in registers, for CPUs that multiply bytes in vectors of 64 (AVX512-VNNI).
// Rows are done kRows at a time: there must be room for that many, whatever lies in those that are too many.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <utility>

#ifndef __AVX512VNNI__  // the instruction is written out below, which no compiler checks
#error "this CPU has no AVX512-VNNI"
#endif

constexpr long kRows = 11, kColumns = 32, kLanes = 16;  // 11 x 2 sums and what feeds them fill the 32 registers

inline long rounded_up(long count, long to) { return (count + to - 1) / to * to; }

// The numbers of a tile's rows, so that each of its sums is a variable of its own from the first: a register.
using Rows = std::make_integer_sequence<long, kRows>;

// As _mm512_dpbusd_epi32, for which GCC 12 copies sums to and fro, so that they do not fit into the registers.
inline void add_products(__m512i& sum, __m512i bytes, __m512i weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "v"(weights));
}

// x: bytes [kRows, in]; weights [in / 4][kColumns][4]; the others as in `product`, of this tile.
template <long... row>
inline void tile(std::integer_sequence<long, row...>, const uint8_t* x, const int8_t* weights, const int32_t* begin,
                 const float* scale, float* result, long in, long out) {
    const __m512i begins[] = {_mm512_loadu_si512(begin), _mm512_loadu_si512(begin + kLanes)};
    const __m512 scales[] = {_mm512_loadu_ps(scale), _mm512_loadu_ps(scale + kLanes)};
    __m512i left[] = {(static_cast<void>(row), begins[0])...}, right[] = {(static_cast<void>(row), begins[1])...};
    for (long k = 0; k < in; k += 4) {
        const __m512i one = _mm512_loadu_si512(weights + k * kColumns);
        const __m512i other = _mm512_loadu_si512(weights + k * kColumns + 64);
        const char* next = reinterpret_cast<const char*>(weights + (in + k) * kColumns);
        _mm_prefetch(next, _MM_HINT_T1);
        _mm_prefetch(next + 64, _MM_HINT_T1);
        const auto add = [&](__m512i& to_left, __m512i& to_right, const uint8_t* from) {
            int32_t four;
            std::memcpy(&four, from, sizeof four);
            const __m512i given = _mm512_set1_epi32(four);
            add_products(to_left, given, one);
            add_products(to_right, given, other);
        };
        (add(left[row], right[row], x + row * in + k), ...);
    }
    (_mm512_storeu_ps(result + row * out, _mm512_mul_ps(_mm512_cvtepi32_ps(left[row]), scales[0])), ...);
    (_mm512_storeu_ps(result + row * out + kLanes, _mm512_mul_ps(_mm512_cvtepi32_ps(right[row]), scales[1])), ...);
}

// x [kRows, in] times y [in, kColumns]; of each, rows lie so many floats apart.
template <long... row>
inline void tile(std::integer_sequence<long, row...>, const float* x, long x_stride, const float* y, long y_stride,
                 float* result, long result_stride, long in) {
    __m512 left[] = {(static_cast<void>(row), _mm512_setzero_ps())...};
    __m512 right[] = {(static_cast<void>(row), _mm512_setzero_ps())...};
    for (long k = 0; k < in; ++k) {
        const __m512 one = _mm512_loadu_ps(y + k * y_stride), other = _mm512_loadu_ps(y + k * y_stride + kLanes);
        const auto add = [&](__m512& to_left, __m512& to_right, float number) {
            const __m512 given = _mm512_set1_ps(number);
            to_left = _mm512_fmadd_ps(given, one, to_left);
            to_right = _mm512_fmadd_ps(given, other, to_right);
        };
        (add(left[row], right[row], x[row * x_stride + k]), ...);
    }
    (_mm512_storeu_ps(result + row * result_stride, left[row]), ...);
    (_mm512_storeu_ps(result + row * result_stride + kLanes, right[row]), ...);
}

// x: bytes [rows, in]; weights: signed bytes [out / kColumns][in / 4][kColumns][4]; begin [out]: what sums start from;
// scale [out]: what one is worth; result [rows, out].
inline void product(const uint8_t* x, const int8_t* weights, const int32_t* begin, const float* scale, float* result,
                    long rows, long in, long out) {
    for (long c = 0; c < out; c += kColumns)
        for (long r = 0; r < rows; r += kRows)
            tile(Rows(), x + r * in, weights + c * in, begin + c, scale + c, result + r * out + c, in, out);
}

// x [rows, in] times y [in, out]; of each, rows lie so many floats apart; out is a multiple of kColumns.
inline void product(const float* x, long x_stride, const float* y, long y_stride, float* result, long result_stride,
                    long rows, long in, long out) {
    for (long c = 0; c < out; c += kColumns)
        for (long r = 0; r < rows; r += kRows)
            tile(Rows(), x + r * x_stride, x_stride, y + c, y_stride, result + r * result_stride + c, result_stride, in);
}

// x [rows, columns] -> result [columns, stride], stride a multiple of kLanes and at least rows; columns one of kLanes.
inline void transposed(const float* x, float* result, long rows, long columns, long stride) {
    __m512 a[16], b[16];
    for (long r = 0; r < rows; r += kLanes)
        for (long c = 0; c < columns; c += kLanes) {
#pragma GCC unroll 16
            for (long i = 0; i < 16; ++i)
                a[i] = r + i < rows ? _mm512_loadu_ps(x + (r + i) * columns + c) : _mm512_setzero_ps();
#pragma GCC unroll 8
            for (long i = 0; i < 16; i += 2) {
                b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
                b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
            }
#pragma GCC unroll 8
            for (long i = 0; i < 16; i += (i & 1) ? 3 : 1) {  // 0, 1, 4, 5, 8, ..
                const __m512d one = _mm512_castps_pd(b[i]), other = _mm512_castps_pd(b[i + 2]);
                const long to = i + (i & 1);
                a[to] = _mm512_castpd_ps(_mm512_unpacklo_pd(one, other));
                a[to + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(one, other));
            }
#pragma GCC unroll 4
            for (long j = 0; j < 4; ++j) {  // columns j, 4 + j, 8 + j, 12 + j lie in the four quarters of each
                const __m512 even = _mm512_shuffle_f32x4(a[j], a[4 + j], 0x88);
                const __m512 odd = _mm512_shuffle_f32x4(a[j], a[4 + j], 0xdd);
                const __m512 later_even = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0x88);
                const __m512 later_odd = _mm512_shuffle_f32x4(a[8 + j], a[12 + j], 0xdd);
                float* to = result + (c + j) * stride + r;
                _mm512_storeu_ps(to, _mm512_shuffle_f32x4(even, later_even, 0x88));
                _mm512_storeu_ps(to + 4 * stride, _mm512_shuffle_f32x4(odd, later_odd, 0x88));
                _mm512_storeu_ps(to + 8 * stride, _mm512_shuffle_f32x4(even, later_even, 0xdd));
                _mm512_storeu_ps(to + 12 * stride, _mm512_shuffle_f32x4(odd, later_odd, 0xdd));
            }
        }
}
