// What lies between the 8-bit products of a block, one pass each: delta_kernels.py says the same in torch.
// Rows are tokens. A row of `change`, times its `step`, is how far a product lies from that of the reference.
#include <cmath>
#include <cstdint>
#include <cstring>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

using In = const float* __restrict;
using Out = float* __restrict;
using Bytes = uint8_t* __restrict;

constexpr float kZero = 128.5f, kLargest = 127.0f, kSmallestStep = 1e-12f;

// A row of differences on the grid that just covers it; returns what one byte means.
__attribute__((noinline)) float to_bytes(In difference, Bytes bytes, long width) {
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

float norm_to_bytes(In x, In weight, In bias, float eps, In reference, Bytes bytes, Out row, long width) {
    float sum = 0.0f, squares = 0.0f;
    for (long i = 0; i < width; ++i) sum += x[i];
    const float mean = sum / width;
    for (long i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / std::sqrt(squares / width + eps);
    for (long i = 0; i < width; ++i) row[i] = (x[i] - mean) * scale * weight[i] + bias[i] - reference[i];
    return to_bytes(row, bytes, width);
}

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

// Half a head each of what lies `step` times `by` from `common`, rotated.
inline void rotate(In by, In common, float step, In c, In s, Out out, long half) {
#pragma GCC ivdep
    for (long i = 0; i < half; ++i) {
        const float one = common[i] + by[i] * step, other = common[i + half] + by[i + half] * step;
        out[i] = one * c[i] + other * s[i];
        out[i + half] = other * c[i + half] + one * s[i + half];
    }
}

}  // namespace

extern "C" {

// Megabytes that come and go with each product stay with the process: giving them back costs more than the product.
void keep_memory() {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 25);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

// row: room for `width` floats, one per thread
void normed(In x, In weight, In bias, float eps, In reference, Bytes bytes, Out steps, Out row, long candidates,
            long tokens, long width) {
    for (long r = 0; r < candidates * tokens; ++r)
        steps[r] = norm_to_bytes(x + r * width, weight, bias, eps, reference + r % tokens * width, bytes + r * width,
                                 row, width);
}

// x: candidates lie x_stride floats apart
void added_and_normed(In x, long x_stride, In change, In change_steps, In product, In weight, In bias, float eps,
                      In reference, Out sum, Bytes bytes, Out steps, Out row, long candidates, long tokens,
                      long width) {
    for (long r = 0; r < candidates * tokens; ++r) {
        const long token = r % tokens;
        const float *from = x + r / tokens * x_stride + token * width, *by = change + r * width;
        const float *common = product + token * width, step = change_steps[r];
        float* to = sum + r * width;
        for (long i = 0; i < width; ++i) to[i] = from[i] + (common[i] + by[i] * step);
        steps[r] = norm_to_bytes(to, weight, bias, eps, reference + token * width, bytes + r * width, row, width);
    }
}

void added(Out x, In change, In change_steps, In product, long candidates, long tokens, long width) {
    for (long r = 0; r < candidates * tokens; ++r) {
        const float *by = change + r * width, *common = product + r % tokens * width, step = change_steps[r];
        float* to = x + r * width;
        for (long i = 0; i < width; ++i) to[i] += common[i] + by[i] * step;
    }
}

// Queries, keys and values side by side in, by heads out, rotated by tables [tokens, head]; queries of the `last`
// tokens alone, [candidates, heads, last, head]. In the memory candidates and heads lie so many floats apart.
void placed(In change, In change_steps, In product, In cosine, In sine, Out queries, Out keys, Out values,
            long candidate_stride, long head_stride, long candidates, long tokens, long last, long heads, long head) {
    const long half = head / 2, width = heads * head, skipped = tokens - last;
    for (long r = 0; r < candidates * tokens; ++r) {
        const long candidate = r / tokens, token = r % tokens;
        const float *by = change + 3 * r * width, *common = product + 3 * token * width, step = change_steps[r];
        const float *c = cosine + token * head, *s = sine + token * head;
        for (long h = 0; h < heads; ++h) {
            const long remembered = candidate * candidate_stride + h * head_stride + token * head;
            float* const to[2] = {queries + ((candidate * heads + h) * last + token - skipped) * head,
                                  keys + remembered};
            for (int part = token < skipped; part < 2; ++part)
                rotate(by + part * width + h * head, common + part * width + h * head, step, c, s, to[part], half);
            const float *b = by + 2 * width + h * head, *m = common + 2 * width + h * head;
            float* out = values + remembered;
#pragma GCC ivdep
            for (long i = 0; i < head; ++i) out[i] = m[i] + b[i] * step;
        }
    }
}

// Of each row of scores times scale, in place.
void softmax(Out scores, float scale, long rows, long width) {
    for (long r = 0; r < rows; ++r) {
        float *row = scores + r * width, largest = row[0], sum = 0.0f;
        for (long i = 1; i < width; ++i) largest = row[i] > largest ? row[i] : largest;
        for (long i = 0; i < width; ++i) {
            row[i] = exp_of_negative((row[i] - largest) * scale);
            sum += row[i];
        }
        const float share = 1.0f / sum;
        for (long i = 0; i < width; ++i) row[i] *= share;
    }
}

// x [candidates, heads, tokens, head], by heads; reference, bytes and steps by tokens
void attended(In x, In reference, Bytes bytes, Out steps, Out row, long candidates, long tokens, long heads,
              long head) {
    const long width = heads * head;
    for (long r = 0; r < candidates * tokens; ++r) {
        const long candidate = r / tokens, token = r % tokens;
        for (long h = 0; h < heads; ++h) {
            const float* from = x + ((candidate * heads + h) * tokens + token) * head;
            const float* common = reference + token * width + h * head;
#pragma GCC ivdep
            for (long i = 0; i < head; ++i) row[h * head + i] = from[i] - common[i];
        }
        steps[r] = to_bytes(row, bytes + r * width, width);
    }
}

void activated(In change, In change_steps, In product, In hidden, Bytes bytes, Out steps, Out row, long candidates,
               long tokens, long width) {
    for (long r = 0; r < candidates * tokens; ++r) {
        const long token = r % tokens;
        const float *by = change + r * width, *common = product + token * width, *known = hidden + token * width;
        const float step = change_steps[r];
        for (long i = 0; i < width; ++i) row[i] = gelu(common[i] + by[i] * step) - known[i];
        steps[r] = to_bytes(row, bytes + r * width, width);
    }
}
}
