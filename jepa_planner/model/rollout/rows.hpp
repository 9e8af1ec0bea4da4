// What is done to single rows between the products of a block.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

using In = const float* __restrict;
using Out = float* __restrict;
using Bytes = uint8_t* __restrict;

constexpr float kZero = 128.5f, kLargest = 127.0f, kSmallestStep = 1e-12f;

// A row of differences on the grid that just covers it; returns what one byte means.
__attribute__((noinline)) inline float to_bytes(In difference, Bytes bytes, long width) {
    float largest = 0.0f;
    for (long i = 0; i < width; ++i) {
        const float size = std::fabs(difference[i]);
        largest = size > largest ? size : largest;
    }
    const float step = largest / kLargest + kSmallestStep, inverse = 1.0f / step;
    for (long i = 0; i < width; ++i) {
        const int32_t byte = static_cast<int32_t>(difference[i] * inverse + kZero);
        bytes[i] = static_cast<uint8_t>(byte);
    }
    return step;
}

inline float norm_to_bytes(In x, In weight, In bias, float eps, In reference, Bytes bytes, Out row, long width) {
    float sum = 0.0f, squares = 0.0f;
    for (long i = 0; i < width; ++i) sum += x[i];
    const float mean = sum / width;
    for (long i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / std::sqrt(squares / width + eps);
    for (long i = 0; i < width; ++i) row[i] = (x[i] - mean) * scale * weight[i] + bias[i] - reference[i];
    return to_bytes(row, bytes, width);
}

// erf(z) / z in powers of 2 (z / kErfEnd)^2 - 1, fitted to 8e-7; beyond kErfEnd erf is 1 to 2e-7.
constexpr float kErf[] = {0.0033355039f, -0.008240652f, 0.006850429f, -0.008781113f, 0.023482626f,
                          -0.03920001f,  0.05225129f,   -0.06962662f, 0.09046333f,   -0.112738706f,
                          0.14080164f,   -0.19046469f,  0.3821374f};
constexpr float kErfEnd = 3.7f;

inline float gelu(float x) {
    float z = x * 0.70710678f;
    z = z < -kErfEnd ? -kErfEnd : z;
    z = z > kErfEnd ? kErfEnd : z;
    const float t = z * z * (2.0f / (kErfEnd * kErfEnd)) - 1.0f;
    float sum = kErf[0];
#pragma GCC unroll 12
    for (int i = 1; i < 13; ++i) sum = sum * t + kErf[i];
    return 0.5f * x * (1.0f + z * sum);
}

// exp(x) for x <= 0, to 2e-7: a power of two in the exponent's bits, times a polynomial.
inline float exp_of_negative(float x) {
    float y = x * 1.44269504f;
    y = y < -126.0f ? -126.0f : y;
    const int32_t whole = static_cast<int32_t>(y - 0.5f);
    const float r = y - static_cast<float>(whole);
    float power = 1.54035304e-4f;
    power = power * r + 1.33335581e-3f;
    power = power * r + 9.61812911e-3f;
    power = power * r + 5.55041087e-2f;
    power = power * r + 2.40226507e-1f;
    power = power * r + 6.93147181e-1f;
    power = power * r + 1.0f;
    const int32_t bits = (whole + 127) << 23;
    float scale;
    std::memcpy(&scale, &bits, sizeof scale);
    return power * scale;
}

// Of each row, in place, but for a factor: returned are what the rows are to be multiplied with.
inline void softmax(Out scores, long stride, long rows, long width, Out shares) {
    for (long r = 0; r < rows; ++r) {
        float *row = scores + r * stride, largest = row[0], sum = 0.0f;
        for (long i = 1; i < width; ++i) largest = row[i] > largest ? row[i] : largest;
        for (long i = 0; i < width; ++i) {
            row[i] = exp_of_negative(row[i] - largest);
            sum += row[i];
        }
        shares[r] = 1.0f / sum;
    }
}

// Half a head each of what lies `step` times `by` from `common`, rotated.
inline void rotate(In by, In common, float step, In c, In s, float scale, Out out, long half) {
#pragma GCC ivdep
    for (long i = 0; i < half; ++i) {
        const float one = common[i] + by[i] * step, other = common[i + half] + by[i + half] * step;
        out[i] = (one * c[i] + other * s[i]) * scale;
        out[i + half] = (other * c[i + half] + one * s[i + half]) * scale;
    }
}
