// What lies between the 8-bit products of a block, one pass each: delta_kernels.py says the same in torch.
// Rows are tokens. A row of `change`, times its `step`, is how far a product lies from that of the reference.
#include <cmath>
#include <cstdint>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

constexpr float kZero = 128.5f, kLargest = 127.0f, kSmallestStep = 1e-12f;

// A row of differences on the grid that just covers it; returns what one byte means.
__attribute__((noinline)) float to_bytes(const float* __restrict difference, uint8_t* __restrict bytes, long width) {
    float largest = 0.0f;
    for (long i = 0; i < width; ++i) {
        const float size = std::fabs(difference[i]);
        largest = size > largest ? size : largest;
    }
    const float step = largest / kLargest + kSmallestStep, inverse = 1.0f / step;
    for (long i = 0; i < width; ++i) bytes[i] = static_cast<uint8_t>(static_cast<int32_t>(difference[i] * inverse + kZero));
    return step;
}

float norm_to_bytes(const float* __restrict x, const float* __restrict weight, const float* __restrict bias, float eps, const float* __restrict reference,
                    uint8_t* __restrict bytes, float* __restrict row, long width) {
    float sum = 0.0f, squares = 0.0f;
    for (long i = 0; i < width; ++i) sum += x[i];
    const float mean = sum / width;
    for (long i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0f / std::sqrt(squares / width + eps);
    for (long i = 0; i < width; ++i) row[i] = (x[i] - mean) * scale * weight[i] + bias[i] - reference[i];
    return to_bytes(row, bytes, width);
}

inline float gelu(float x) {
    float z = x * 0.70710678f;
    z = z < -4.0f ? -4.0f : z;
    z = z > 4.0f ? 4.0f : z;
    const float y = z * z;
    float p = -2.72614225801306e-10f;
    p = p * y + 2.77068142495902e-08f;
    p = p * y - 2.10102402082508e-06f;
    p = p * y - 5.69250639462346e-05f;
    p = p * y - 7.34990630326855e-04f;
    p = p * y - 2.95459980854025e-03f;
    p = p * y - 1.60960333262415e-02f;
    float q = -1.45660718464996e-05f;
    q = q * y - 2.13374055278905e-04f;
    q = q * y - 1.68282697438203e-03f;
    q = q * y - 7.37332916720468e-03f;
    q = q * y - 1.42647390514189e-02f;
    return 0.5f * x * (1.0f + z * p / q);
}

// Half a head each of what lies `step` times `by` from `common`, rotated.
inline void rotate(const float* __restrict by, const float* __restrict common, float step, const float* __restrict c,
                   const float* __restrict s, float* __restrict out, long half) {
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
void normed(const float* __restrict x, const float* __restrict weight, const float* __restrict bias, float eps, const float* __restrict reference, uint8_t* __restrict bytes,
            float* __restrict steps, float* __restrict row, long candidates, long tokens, long width) {
    for (long r = 0; r < candidates * tokens; ++r)
        steps[r] = norm_to_bytes(x + r * width, weight, bias, eps, reference + r % tokens * width, bytes + r * width,
                                 row, width);
}

// x: candidates lie x_stride floats apart
void added_and_normed(const float* __restrict x, long x_stride, const float* __restrict change, const float* __restrict change_steps,
                      const float* __restrict product, const float* __restrict weight, const float* __restrict bias, float eps, const float* __restrict reference,
                      float* __restrict sum, uint8_t* __restrict bytes, float* __restrict steps, float* __restrict row, long candidates, long tokens, long width) {
    for (long r = 0; r < candidates * tokens; ++r) {
        const long token = r % tokens;
        const float *from = x + r / tokens * x_stride + token * width, *by = change + r * width;
        const float *common = product + token * width, step = change_steps[r];
        float* to = sum + r * width;
        for (long i = 0; i < width; ++i) to[i] = from[i] + (common[i] + by[i] * step);
        steps[r] = norm_to_bytes(to, weight, bias, eps, reference + token * width, bytes + r * width, row, width);
    }
}

void added(float* __restrict x, const float* __restrict change, const float* __restrict change_steps, const float* __restrict product, long candidates, long tokens,
           long width) {
    for (long r = 0; r < candidates * tokens; ++r) {
        const float *by = change + r * width, *common = product + r % tokens * width, step = change_steps[r];
        float* to = x + r * width;
        for (long i = 0; i < width; ++i) to[i] += common[i] + by[i] * step;
    }
}

// Queries, keys and values side by side in, by heads out, rotated by tables [tokens, head]; queries of the `last` tokens
// alone, [candidates, heads, last, head]. In the memory candidates and heads lie so many floats apart.
void placed(const float* __restrict change, const float* __restrict change_steps, const float* __restrict product,
            const float* __restrict cosine, const float* __restrict sine, float* __restrict queries,
            float* __restrict keys, float* __restrict values, long candidate_stride, long head_stride, long candidates,
            long tokens, long last, long heads, long head) {
    const long half = head / 2, width = heads * head, skipped = tokens - last;
    for (long r = 0; r < candidates * tokens; ++r) {
        const long candidate = r / tokens, token = r % tokens;
        const float *by = change + 3 * r * width, *common = product + 3 * token * width, step = change_steps[r];
        const float *c = cosine + token * head, *s = sine + token * head;
        for (long h = 0; h < heads; ++h) {
            const long remembered = candidate * candidate_stride + h * head_stride + token * head;
            float* const to[2] = {queries + ((candidate * heads + h) * last + token - skipped) * head, keys + remembered};
            for (int part = token < skipped; part < 2; ++part)
                rotate(by + part * width + h * head, common + part * width + h * head, step, c, s, to[part], half);
            const float *b = by + 2 * width + h * head, *m = common + 2 * width + h * head;
            float* out = values + remembered;
            for (long i = 0; i < head; ++i) out[i] = m[i] + b[i] * step;
        }
    }
}

// Of each row of scores times scale, in place.
void softmax(float* __restrict scores, float scale, long rows, long width) {
    for (long r = 0; r < rows; ++r) {
        float *row = scores + r * width, largest = row[0], sum = 0.0f;
        for (long i = 1; i < width; ++i) largest = row[i] > largest ? row[i] : largest;
        for (long i = 0; i < width; ++i) {
            row[i] = std::exp((row[i] - largest) * scale);
            sum += row[i];
        }
        const float share = 1.0f / sum;
        for (long i = 0; i < width; ++i) row[i] *= share;
    }
}

// x [candidates, heads, tokens, head], by heads; reference, bytes and steps by tokens
void attended(const float* __restrict x, const float* __restrict reference, uint8_t* __restrict bytes,
              float* __restrict steps, float* __restrict row, long candidates, long tokens, long heads, long head) {
    const long width = heads * head;
    for (long r = 0; r < candidates * tokens; ++r) {
        const long candidate = r / tokens, token = r % tokens;
        for (long h = 0; h < heads; ++h) {
            const float* from = x + ((candidate * heads + h) * tokens + token) * head;
            const float* common = reference + token * width + h * head;
            for (long i = 0; i < head; ++i) row[h * head + i] = from[i] - common[i];
        }
        steps[r] = to_bytes(row, bytes + r * width, width);
    }
}

void activated(const float* __restrict change, const float* __restrict change_steps, const float* __restrict product, const float* __restrict hidden,
               uint8_t* __restrict bytes, float* __restrict steps, float* __restrict row, long candidates, long tokens, long width) {
    for (long r = 0; r < candidates * tokens; ++r) {
        const long token = r % tokens;
        const float *by = change + r * width, *common = product + token * width, *known = hidden + token * width;
        const float step = change_steps[r];
        for (long i = 0; i < width; ++i) row[i] = gelu(common[i] + by[i] * step) - known[i];
        steps[r] = to_bytes(row, bytes + r * width, width);
    }
}
}
