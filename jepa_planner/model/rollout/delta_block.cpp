// A predictor block with 8-bit products of differences, all of it: delta_block.py says the same in torch.
// Rows are tokens. A row of a product, times its `step`, is how far it lies from that of the reference.
#include <vector>

#include "products.hpp"
#include "rows.hpp"

namespace {

constexpr long kTokens = 132;  // of the candidates that are run together: what lies between products stays in a cache

struct Product {  // weights as `product` of bytes takes them
    const int8_t* weights;
    const int32_t* begin;
    const float* scale;
    long in, out;

    void operator()(const uint8_t* x, float* result, long rows) const {
        product(x, weights, begin, scale, result, rows, in, out);
    }
};

struct Norm {
    const float *weight, *bias;
    float eps;
};

struct Sizes {  // of candidates that are run together: all their tokens enter, the last ones leave
    long candidates, tokens, last, width, wide, heads, head, query_rows, padded;
};

// Room that a thread uses again and again.
struct Scratch {
    std::vector<float> change, sum, steps, attended, queries, keys, scores, shares, row;
    std::vector<uint8_t> bytes;

    void fit(const Sizes& s) {
        const long rows = rounded_up(s.candidates * s.tokens, kRows) + kRows;
        const long widest = 3 * s.width > s.wide ? 3 * s.width : s.wide;
        for (auto [part, size] : {std::pair{&change, rows * widest}, {&sum, rows * s.width}, {&steps, rows},
                                  {&attended, rows * s.width}, {&queries, s.heads * s.query_rows * s.head},
                                  {&keys, s.head * s.padded}, {&scores, s.query_rows * s.padded},
                                  {&shares, s.query_rows}, {&row, widest}})
            if (static_cast<long>(part->size()) < size) part->resize(size);
        if (static_cast<long>(bytes.size()) < rows * widest) bytes.resize(rows * widest);
    }
};

thread_local Scratch scratch;

// What follows takes one token of all candidates after the other: what the reference has of it is read once.

void normed(In x, const Norm& norm, In reference, Bytes bytes, Out steps, Out row, const Sizes& s) {
    for (long token = 0; token < s.tokens; ++token)
        for (long r = token; r < s.candidates * s.tokens; r += s.tokens)
            steps[r] = norm_to_bytes(x + r * s.width, norm.weight, norm.bias, norm.eps, reference + token * s.width,
                                     bytes + r * s.width, row, s.width);
}

// One candidate's rotated queries, scaled, [heads, query_rows, head], and into its memory rotated keys, and values.
void placed(In change, In steps, In product, In cosine, In sine, Out queries, Out keys, Out values, long head_stride,
            const Sizes& s) {
    const float small = 1.0f / std::sqrt(static_cast<float>(s.head));
    const long skipped = s.tokens - s.last;
    for (long token = 0; token < s.tokens; ++token)
        for (long h = 0; h < s.heads; ++h) {
            const float *by = change + 3 * token * s.width + h * s.head, *c = cosine + token * s.head;
            const float *common = product + 3 * token * s.width + h * s.head, *turn = sine + token * s.head;
            const long place = h * head_stride + token * s.head;
            if (token >= skipped)
                rotate(by, common, steps[token], c, turn, small,
                       queries + (h * s.query_rows + token - skipped) * s.head, s.head / 2);
            rotate(by + s.width, common + s.width, steps[token], c, turn, 1.0f, keys + place, s.head / 2);
#pragma GCC ivdep
            for (long i = 0; i < s.head; ++i) values[place + i] = common[2 * s.width + i] + by[2 * s.width + i] * steps[token];
        }
}

// How far what one head of a candidate attends to, in `mine`, lies from the reference's; rows are a width apart.
void less_reference(Out mine, In shares, In reference, const Sizes& s) {
    for (long r = 0; r < s.last; ++r)
#pragma GCC ivdep
        for (long i = 0; i < s.head; ++i)
            mine[r * s.width + i] = mine[r * s.width + i] * shares[r] - reference[r * s.width + i];
}

void added_and_normed(In x, In change, In product, const Norm& norm, In reference, Out sum, Bytes bytes, Out steps,
                      Out row, const Sizes& s) {
    for (long token = 0; token < s.last; ++token)
        for (long candidate = 0; candidate < s.candidates; ++candidate) {
            const long r = candidate * s.last + token;
            const float *from = x + ((candidate + 1) * s.tokens - s.last + token) * s.width;
            const float *by = change + r * s.width, *common = product + token * s.width, step = steps[r];
            float* to = sum + r * s.width;
#pragma GCC ivdep
            for (long i = 0; i < s.width; ++i) to[i] = from[i] + (common[i] + by[i] * step);
            steps[r] = norm_to_bytes(to, norm.weight, norm.bias, norm.eps, reference + token * s.width,
                                     bytes + r * s.width, row, s.width);
        }
}

void activated(In change, In product, In hidden, Bytes bytes, Out steps, Out row, const Sizes& s) {
    for (long token = 0; token < s.last; ++token)
        for (long r = token; r < s.candidates * s.last; r += s.last) {
            const float *by = change + r * s.wide, *common = product + token * s.wide, *known = hidden + token * s.wide;
            const float step = steps[r];
#pragma GCC ivdep
            for (long i = 0; i < s.wide; ++i) row[i] = gelu(common[i] + by[i] * step) - known[i];
            steps[r] = to_bytes(row, bytes + r * s.wide, s.wide);
        }
}

void less(In x, In reference, Bytes bytes, Out steps, Out row, const Sizes& s) {
    for (long token = 0; token < s.tokens; ++token)
        for (long r = token; r < s.candidates * s.tokens; r += s.tokens) {
            const float *from = x + r * s.width, *common = reference + token * s.width;
#pragma GCC ivdep
            for (long i = 0; i < s.width; ++i) row[i] = from[i] - common[i];
            steps[r] = to_bytes(row, bytes + r * s.width, s.width);
        }
}

void added(In x, In change, In steps, In product, Out out, const Sizes& s) {
    for (long token = 0; token < s.last; ++token)
        for (long r = token; r < s.candidates * s.last; r += s.last) {
            const float *from = x + r * s.width, *by = change + r * s.width, *common = product + token * s.width;
            float* to = out + r * s.width;
#pragma GCC ivdep
            for (long i = 0; i < s.width; ++i) to[i] = from[i] + (common[i] + by[i] * steps[r]);
        }
}

}  // namespace

extern "C" {

struct Block {
    Norm norm1, norm2;
    Product qkv, proj, fc1, fc2;
    long heads;
};

struct Reference {  // rows of the one candidate that was run in float32, see Reference in delta_block.py
    const float *normed1, *qkv, *attended, *proj, *normed2, *fc1, *hidden, *fc2;
};

struct Memory {  // candidates and heads lie so many floats apart, tokens one head size
    float *keys, *values;
    long candidate_stride, head_stride, seen;
};

// x [candidates, tokens, in] -> out [candidates, tokens, out], beside the reference's: what enters, and its product.
void delta_linear(const Product* linear, const float* reference, const float* product, const float* x, float* out,
                  long candidates, long tokens) {
    const long together = kTokens / tokens > 1 ? kTokens / tokens : 1;
    Sizes s{together, tokens, tokens, linear->in, linear->out, 1, 0, 0, 0};
    scratch.fit(s);
    float *change = scratch.change.data(), *steps = scratch.steps.data();
    for (long first = 0; first < candidates; first += together) {
        s.candidates = candidates - first < together ? candidates - first : together;
        less(x + first * tokens * s.width, reference, scratch.bytes.data(), steps, scratch.row.data(), s);
        (*linear)(scratch.bytes.data(), change, s.candidates * tokens);
        for (long r = 0; r < s.candidates * tokens; ++r) {
            const float *by = change + r * s.wide, *common = product + r % tokens * s.wide, step = steps[r];
            float* to = out + (first * tokens + r) * s.wide;
#pragma GCC ivdep
            for (long i = 0; i < s.wide; ++i) to[i] = common[i] + by[i] * step;
        }
    }
}

// x [candidates, tokens, width] -> out [candidates, last, width]; tables of rotation [tokens, head size].
void delta_block(const Block* block, const Reference* reference, const Memory* memory, const float* cosine,
                 const float* sine, const float* x, float* out, long candidates, long tokens, long last) {
    const long width = block->proj.in, head = width / block->heads, seen = memory->seen, all = seen + tokens;
    const long together = kTokens / tokens > 1 ? kTokens / tokens : 1;
    Sizes s{together, tokens, last, width, block->fc1.out, block->heads, head, rounded_up(last, kRows),
            rounded_up(all, kColumns)};
    scratch.fit(s);
    float *change = scratch.change.data(), *sum = scratch.sum.data(), *steps = scratch.steps.data();
    float *attended = scratch.attended.data(), *queries = scratch.queries.data(), *row = scratch.row.data();
    float *turned = scratch.keys.data(), *scores = scratch.scores.data(), *shares = scratch.shares.data();
    uint8_t* bytes = scratch.bytes.data();

    for (long first = 0; first < candidates; first += together) {
        s.candidates = candidates - first < together ? candidates - first : together;
        const float* from = x + first * tokens * width;
        normed(from, block->norm1, reference->normed1, bytes, steps, row, s);
        block->qkv(bytes, change, s.candidates * tokens);
        for (long candidate = 0; candidate < s.candidates; ++candidate) {
            const long place = (first + candidate) * memory->candidate_stride;
            float *keys = memory->keys + place, *values = memory->values + place;
            placed(change + 3 * candidate * tokens * width, steps + candidate * tokens, reference->qkv, cosine, sine,
                   queries, keys + seen * head, values + seen * head, memory->head_stride, s);
            for (long h = 0; h < s.heads; ++h, keys += memory->head_stride, values += memory->head_stride) {
                float* mine = attended + candidate * last * width + h * head;
                transposed(keys, turned, all, head, s.padded);
                product(queries + h * s.query_rows * head, head, turned, s.padded, scores, s.padded, last, head,
                        s.padded);
                softmax(scores, s.padded, last, all, shares);
                product(scores, s.padded, values, head, mine, width, last, all, head);
                less_reference(mine, shares, reference->attended + h * head, s);
            }
        }
        const long rows = s.candidates * last;
        for (long r = 0; r < rows; ++r) steps[r] = to_bytes(attended + r * width, bytes + r * width, width);
        block->proj(bytes, change, rows);
        added_and_normed(from, change, reference->proj, block->norm2, reference->normed2, sum, bytes, steps, row, s);
        block->fc1(bytes, change, rows);
        activated(change, reference->fc1, reference->hidden, bytes, steps, row, s);
        block->fc2(bytes, change, rows);
        added(sum, change, steps, reference->fc2, out + first * last * width, s);
    }
}
}
