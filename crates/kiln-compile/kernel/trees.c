/* Evaluates a packed tree ensemble (src/trees/pack). Freestanding: it needs no
 * C library, allocates nothing, and writes only what its caller lends it.
 *
 * A value of a row becomes a whole number whose order is the value's, so that
 * one comparison of whole numbers is all that a step takes; a missing value
 * becomes the smallest or the largest of them, in one column for the splits
 * that send it left and in another for those that send it right. A leaf asks
 * column 0, which always leads back to it. So every walk through a tree may
 * take as many steps as the deepest, without a branch, and eight trees are
 * walked side by side to hide the time that memory takes.
 *
 * Where many rows come at once, they go through the sliced form instead:
 * side by side, a byte each, with no walk at all. */

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__)
/* There is no memcpy to make of a loop; clang is told by -fno-builtin. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#define LANES 8
#define CHUNK 256 /* rows that go through the trees together */
#define ENOUGH 96 /* rows from which on the sliced form is the faster */

enum link {
    IDENTITY, SIGMOID, HINGE, EXP, LOG_ONE_PLUS_EXP, SIGNED_SQUARE, SOFTMAX, ARGMAX, COMPLEMENT,
    SIGMOID_OF_BOTH, ISOLATION
};

struct header {
    double scale, divisor;
    uint32_t features, columns, groups, outputs, link, single, blocks, generals, sliced;
    /* Where each part begins, in bytes. */
    uint32_t base, sources, block, quick, general_root, general, set, word, value;
    uint32_t rank, slice, step, leaf;
};

struct source { uint32_t feature, kind; };
enum { MISSING_LEFT = 1, ZERO_IS_MISSING = 2, CONSTANT = 4 };

struct node { int32_t key; uint16_t column, child; };
struct block { uint32_t depth, root[LANES], group[LANES]; };

struct general { uint32_t what; int32_t key; uint32_t left, right; };
enum { LEAF = 1u << 31, SET = 1u << 30, MEMBERS_LEFT = 1u << 29, NAN_LEFT = 1u << 28 };
#define WHICH (NAN_LEFT - 1)

/* A byte for each row of a chunk. */
typedef struct { _Alignas(64) uint8_t of[CHUNK]; } bytes;
#define WIDEST 64
#define RANKS 255
#define LEAVES 256
/* What a leaf leaves for all rows, and what steps leave for each of them. */
typedef struct { _Alignas(64) uint8_t of[WIDEST]; } same;
struct slots { same leaf[LEAVES]; bytes step[LEAVES]; };
struct slice { uint32_t step, steps, leaf, group; };
struct step { uint16_t column, rank, left, right, to; };

struct root { uint32_t node, group, width; };
struct set { uint32_t first, words; };

/* Linked in beside the kernel: model.S, or whatever the target has in its stead. */
extern const unsigned char kiln_model[] __attribute__((visibility("hidden")));

#define PART(type, name) ((const struct type *)(kiln_model + head->name))

static double bits_to_double(uint64_t bits) {
    double value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static int32_t float_bits(float value) {
    int32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float bits_to_float(int32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/* exp(x) = 2^k exp(r), and |r| is at most ln(2) / 2. */
static double exponential(double x) {
    if (x != x) return x;
    if (x > 709.7) return __builtin_inf();
    if (x < -708.3) return 0.0;
    int k = (int)(x * 1.4426950408889634 + (x < 0 ? -0.5 : 0.5));
    double r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
    double sum = 1.0;
    for (int n = 13; n > 0; n--) sum = 1.0 + sum * r / n;
    return sum * bits_to_double((uint64_t)(k + 1023) << 52);
}

/* ln(1 + exp(x)), by Halley's steps from a near guess. */
static double log_one_plus_exp(double x) {
    if (!(x < 30.0)) return x;
    if (x < -30.0) return exponential(x);
    double wanted = 1.0 + exponential(x);
    double y = x > 0 ? x : 0.0;
    for (int n = 0; n < 5; n++) {
        double got = exponential(y);
        y += 2.0 * (wanted - got) / (wanted + got);
    }
    return y;
}

static double transformed(const struct header *head, double x) {
    switch (head->link) {
    case SIGMOID:
    case SIGMOID_OF_BOTH: return 1.0 / (1.0 + exponential(-head->scale * x));
    case HINGE: return x > 0.0;
    case EXP: return exponential(x);
    case LOG_ONE_PLUS_EXP: return log_one_plus_exp(x);
    case SIGNED_SQUARE: return x < 0 ? -x * x : x * x;
    case ISOLATION: return -exponential(-0.693147180559945309 * x) - head->scale;
    default: return x;
    }
}

static void predict_from(const struct header *head, const double *sums, float *out) {
    uint32_t groups = head->groups, best = 0;
    for (uint32_t g = 1; g < groups; g++)
        if (sums[g] > sums[best]) best = g;
    if (head->link == ARGMAX) {
        out[0] = (float)best;
    } else if (head->link == SOFTMAX) {
        double total = 0.0;
        for (uint32_t g = 0; g < groups; g++) total += exponential(sums[g] - sums[best]);
        for (uint32_t g = 0; g < groups; g++)
            out[g] = (float)(exponential(sums[g] - sums[best]) / total);
    } else if (head->link == COMPLEMENT || head->link == SIGMOID_OF_BOTH) {
        for (uint32_t g = 0; g < groups; g++) {
            double second = transformed(head, sums[g]);
            out[2 * g] = (float)(1.0 - second);
            out[2 * g + 1] = (float)second;
        }
    } else {
        for (uint32_t g = 0; g < groups; g++) out[g] = (float)transformed(head, sums[g]);
    }
}

static int32_t key_of(float value) {
    int32_t bits = float_bits(value + 0.0f); /* -0 becomes 0 */
    return bits ^ ((bits >> 31) & INT32_MAX);
}

static void fill_keys(const struct header *head, const float *row, int32_t *keys) {
    const struct source *sources = PART(source, sources);
    for (uint32_t c = 0; c < head->columns; c++) {
        struct source source = sources[c];
        if (source.kind & CONSTANT) {
            keys[c] = INT32_MIN;
            continue;
        }
        float value = row[source.feature];
        int missing = value != value;
        if (source.kind & ZERO_IS_MISSING) missing |= value >= -1e-35f && value <= 1e-35f;
        int32_t absent = source.kind & MISSING_LEFT ? INT32_MIN : INT32_MAX;
        keys[c] = missing ? absent : key_of(value);
    }
}

static void add(const struct header *head, double *sum, float value) {
    *sum = head->single ? (double)((float)*sum + value) : *sum + value;
}

/* The leaves of a block's trees, in their order. The packer sorts trees by
 * group, so that most blocks have but one, and its sum can stay in a register. */
static void add_block(const struct header *head, const struct block *block,
                      const struct node *const *at, double *sums) {
    double *sum = &sums[block->group[0]];
    if (block->group[0] != block->group[LANES - 1]) {
        for (int i = 0; i < LANES; i++)
            add(head, &sums[block->group[i]], bits_to_float(at[i]->key));
    } else if (head->single) {
        float total = (float)*sum;
        for (int i = 0; i < LANES; i++) total += bits_to_float(at[i]->key);
        *sum = total;
    } else {
        double total = *sum;
        for (int i = 0; i < LANES; i++) total += bits_to_float(at[i]->key);
        *sum = total;
    }
}

static void walk_block(const struct header *head, const struct block *block, const int32_t *keys,
                       double *sums) {
    const struct node *nodes = PART(node, quick), *at[LANES];
    for (int i = 0; i < LANES; i++) at[i] = nodes + block->root[i];
    for (uint32_t step = 0; step < block->depth; step++)
        for (int i = 0; i < LANES; i++)
            at[i] += at[i]->child + (uint32_t)(keys[at[i]->column] >= at[i]->key);
    add_block(head, block, at, sums);
}

static int holds(const struct header *head, int32_t at, float value) {
    struct set set = PART(set, set)[at];
    if (!(value > -1.0f && value < (float)set.words * 32.0f)) return 0;
    uint32_t category = (uint32_t)(int32_t)value;
    const uint32_t *words = (const uint32_t *)(kiln_model + head->word) + set.first;
    return words[category / 32] >> (category % 32) & 1;
}

static void walk_general(const struct header *head, struct root root, const float *row,
                         const int32_t *keys, double *sums) {
    const struct general *nodes = PART(general, general), *at = nodes + root.node;
    while (!(at->what & LEAF)) {
        uint32_t which = at->what & WHICH;
        int left;
        if (at->what & SET) {
            float value = row[which];
            left = value != value ? (at->what & NAN_LEFT) != 0
                                  : holds(head, at->key, value) == ((at->what & MEMBERS_LEFT) != 0);
        } else {
            left = keys[which] < at->key;
        }
        at = nodes + (left ? at->left : at->right);
    }
    const float *values = (const float *)(kiln_model + head->value) + at->left;
    for (uint32_t i = 0; i < root.width; i++) add(head, &sums[root.group + i], values[i]);
}

/* How many of a column's keys a value's key is not below. */
static uint8_t rank_of(const int32_t *ranks, int32_t key) {
    uint32_t at = 0;
    for (int bit = 7; bit >= 0; bit--) /* a sum, so that no branch has to be guessed */
        at += (uint32_t)(ranks[at + (1u << bit) - 1] <= key) << bit;
    return (uint8_t)at;
}

static void fill_ranks(const struct header *head, size_t count, const int32_t *keys,
                       bytes *ranks) {
    for (uint32_t c = 0; c < head->columns; c++) {
        const int32_t *column = (const int32_t *)(kiln_model + head->rank) + (size_t)c * RANKS;
        uint8_t *of = ranks[c].of;
        for (size_t r = 0; r < count; r++) of[r] = rank_of(column, keys[r * head->columns + c]);
    }
}

typedef void (*take)(const struct step *, uint32_t, size_t, const bytes *, struct slots *);

static inline uint8_t *slot(struct slots *slots, uint32_t at) {
    return at < LEAVES ? slots->leaf[at].of : slots->step[at - LEAVES].of;
}

/* Takes a tree's steps with vectors of so many bytes, which the target must
 * have: compilers make poor code of wider ones. */
#define TAKE(name, width, ...)                                                               \
    typedef uint8_t name##_vector __attribute__((vector_size(width), may_alias));            \
    __VA_ARGS__ static void name(const struct step *at, uint32_t count, size_t rows,         \
                                 const bytes *ranks, struct slots *slots) {                  \
        for (const struct step *end = at + count; at < end; at++) {                          \
            const name##_vector *rank = (const name##_vector *)(ranks + at->column);         \
            const uint8_t *left = slot(slots, at->left), *right = slot(slots, at->right);    \
            size_t left_by = at->left < LEAVES ? 0 : width;                                  \
            size_t right_by = at->right < LEAVES ? 0 : width;                                \
            name##_vector *to = (name##_vector *)slot(slots, at->to);                        \
            for (size_t i = 0; i < rows / width; i++, left += left_by, right += right_by) {  \
                name##_vector on = (name##_vector)(rank[i] >= (uint8_t)at->rank);            \
                to[i] = (*(const name##_vector *)right & on)                                 \
                        | (*(const name##_vector *)left & ~on);                              \
            }                                                                                \
        }                                                                                    \
    }

#if defined(__x86_64__) || defined(__i386__)
TAKE(take_avx2, 32, __attribute__((target("avx2"))))
TAKE(take_avx512, 64, __attribute__((target("avx512bw"))))

/* The widest that both the processor has and the system keeps; none where a
 * walk is the faster. */
static take widest(void) {
    uint32_t most, a, b, c, d, kept, above;
    __asm__ volatile("cpuid" : "=a"(most), "=b"(b), "=c"(c), "=d"(d) : "a"(0), "c"(0));
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
    if (most < 7 || !(c >> 27 & 1)) return NULL;
    __asm__ volatile("xgetbv" : "=a"(kept), "=d"(above) : "c"(0));
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    if ((kept & 0xe6) == 0xe6 && (b >> 16 & 1) && (b >> 30 & 1)) return take_avx512;
    return (kept & 6) == 6 && (b >> 5 & 1) ? take_avx2 : NULL;
}
#elif defined(__ARM_NEON)
TAKE(take_neon, 16)
static take widest(void) { return take_neon; }
#else
static take widest(void) { return NULL; }
#endif

static void fill_leaves(struct slots *slots) {
    for (int leaf = 0; leaf < LEAVES; leaf++)
        for (int r = 0; r < WIDEST; r++) slots->leaf[leaf].of[r] = (uint8_t)leaf;
}

/* 32-bit sums of a group are kept in `totals` as long as one tree after another
 * adds to it. */
static void load_totals(size_t count, const double *sums, size_t groups, float *totals) {
    for (size_t r = 0; r < count; r++) totals[r] = (float)sums[r * groups];
}

static void keep_totals(size_t count, double *sums, size_t groups, const float *totals) {
    for (size_t r = 0; r < count; r++) sums[r * groups] = totals[r];
}

static void predict_sliced(const struct header *head, take take, size_t count,
                           const bytes *ranks, struct slots *slots, double *sums) {
    size_t whole = (count + WIDEST - 1) / WIDEST * WIDEST, groups = head->groups;
    const struct slice *slices = PART(slice, slice);
    uint8_t *leaf = slots->step[0].of; /* where a tree's last step leaves them */
    uint32_t group = slices[0].group;
    float totals[CHUNK];
    load_totals(count, sums + group, groups, totals);
    for (uint32_t t = 0; t < head->sliced; t++) {
        struct slice slice = slices[t];
        const float *leaves = (const float *)(kiln_model + head->leaf) + slice.leaf;
        for (size_t r = 0; r < count && slice.steps == 0; r++) leaf[r] = 0;
        take(PART(step, step) + slice.step, slice.steps, whole, ranks, slots);
        if (!head->single) {
            double *sum = sums + slice.group;
            for (size_t r = 0; r < count; r++) sum[r * groups] += leaves[leaf[r]];
            continue;
        }
        if (slice.group != group) {
            keep_totals(count, sums + group, groups, totals);
            group = slice.group;
            load_totals(count, sums + group, groups, totals);
        }
        for (size_t r = 0; r < count; r++) totals[r] += leaves[leaf[r]];
    }
    if (head->single) keep_totals(count, sums + group, groups, totals);
}

static void predict_chunk(const struct header *head, take take, const float *rows, size_t count,
                          float *out, bytes *ranks, struct slots *slots, double *sums,
                          int32_t *keys) {
    const double *base = (const double *)(kiln_model + head->base);
    size_t groups = head->groups, columns = head->columns;
    for (size_t r = 0; r < count; r++) {
        fill_keys(head, rows + r * head->features, keys + r * columns);
        for (size_t g = 0; g < groups; g++) sums[r * groups + g] = base[g];
    }
    int is_sliced = take && count >= ENOUGH;
    if (is_sliced) {
        fill_ranks(head, count, keys, ranks);
        predict_sliced(head, take, count, ranks, slots, sums);
    }
    for (uint32_t b = 0; b < head->blocks && !is_sliced; b++)
        for (size_t r = 0; r < count; r++)
            walk_block(head, PART(block, block) + b, keys + r * columns, sums + r * groups);
    for (uint32_t t = 0; t < head->generals; t++)
        for (size_t r = 0; r < count; r++)
            walk_general(head, PART(root, general_root)[t], rows + r * head->features,
                         keys + r * columns, sums + r * groups);
    for (size_t r = 0; r < count; r++) {
        for (size_t g = 0; g < groups; g++) sums[r * groups + g] /= head->divisor;
        predict_from(head, sums + r * groups, out + r * head->outputs);
    }
}

EXPORT uint32_t kiln_trees_features(void) { return ((const struct header *)kiln_model)->features; }

EXPORT uint32_t kiln_trees_outputs(void) { return ((const struct header *)kiln_model)->outputs; }

/* How many bytes, aligned to 64, a prediction needs to be lent. */
EXPORT size_t kiln_trees_scratch(void) {
    const struct header *head = (const struct header *)kiln_model;
    return sizeof(struct slots) + head->columns * sizeof(bytes)
           + head->columns * CHUNK * sizeof(int32_t) + head->groups * CHUNK * sizeof(double);
}

/* Predicts each of the rows, one after another in memory. */
EXPORT void kiln_trees_predict(const float *rows, size_t count, float *out, void *scratch) {
    const struct header *head = (const struct header *)kiln_model;
    struct slots *slots = scratch;
    bytes *ranks = (bytes *)(slots + 1);
    double *sums = (double *)(ranks + head->columns);
    int32_t *keys = (int32_t *)(sums + CHUNK * (size_t)head->groups);
    take take = head->sliced > 0 && count >= ENOUGH ? widest() : NULL;
    if (take) fill_leaves(slots);
    while (count > 0) {
        size_t now = count < CHUNK ? count : CHUNK;
        predict_chunk(head, take, rows, now, out, ranks, slots, sums, keys);
        rows += now * head->features;
        out += now * head->outputs;
        count -= now;
    }
}
