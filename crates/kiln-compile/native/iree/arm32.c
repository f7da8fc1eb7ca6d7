/* Functions that code for 32-bit ARM calls and that IREE's compiler has not. The loader of
 * embedded libraries offers none, so the compiler links these into each library
 * (`neural/device.rs`). It takes bitcode only, which is made anew by
 *
 *     zig clang -cc1 -triple armv7a-unknown-unknown-eabi -target-feature +vfp3d16 \
 *         -mfloat-abi hard -O1 -ffreestanding -fno-builtin -ffp-contract=off \
 *         -emit-llvm-bc arm32.c -o arm32.bc
 */

typedef unsigned int u32;
typedef unsigned char u8;

/* Where one operand is no number, the other is the answer. */
float fmaxf(float a, float b) { return b != b || a > b ? a : a != a || b > a ? b : a; }
float fminf(float a, float b) { return b != b || a < b ? a : a != a || b < a ? b : a; }
double fmax(double a, double b) { return b != b || a > b ? a : a != a || b > a ? b : a; }
double fmin(double a, double b) { return b != b || a < b ? a : a != a || b < a ? b : a; }

struct division {
    u32 quotient, rest;
};

static struct division divide(u32 a, u32 b) {
    struct division result = {0, 0};
    for (int bit = 31; bit >= 0; bit--) {
        result.rest = result.rest << 1 | (a >> bit & 1);
        if (result.rest < b || b == 0) continue;
        result.rest -= b;
        result.quotient |= 1u << bit;
    }
    return result;
}

static u32 size_of(int a) { return a < 0 ? -(u32)a : (u32)a; }

static struct division divide_signed(int a, int b) {
    struct division result = divide(size_of(a), size_of(b));
    if ((a < 0) != (b < 0)) result.quotient = -result.quotient;
    if (a < 0) result.rest = -result.rest;
    return result;
}

u32 __aeabi_uidiv(u32 a, u32 b) { return divide(a, b).quotient; }
int __aeabi_idiv(int a, int b) { return (int)divide_signed(a, b).quotient; }

/* Both results are in registers, the quotient in the first. */
static unsigned long long pair(struct division result) {
    return (unsigned long long)result.rest << 32 | result.quotient;
}

unsigned long long __aeabi_uidivmod(u32 a, u32 b) { return pair(divide(a, b)); }
unsigned long long __aeabi_idivmod(int a, int b) { return pair(divide_signed(a, b)); }

void __aeabi_memmove(u8 *to, const u8 *from, u32 bytes) {
    if (to < from)
        for (u32 i = 0; i < bytes; i++) to[i] = from[i];
    else
        for (u32 i = bytes; i > 0; i--) to[i - 1] = from[i - 1];
}

void __aeabi_memcpy(u8 *to, const u8 *from, u32 bytes) { __aeabi_memmove(to, from, bytes); }
void __aeabi_memcpy4(u8 *to, const u8 *from, u32 bytes) { __aeabi_memmove(to, from, bytes); }
void __aeabi_memcpy8(u8 *to, const u8 *from, u32 bytes) { __aeabi_memmove(to, from, bytes); }

void __aeabi_memset(u8 *to, u32 bytes, int value) {
    for (u32 i = 0; i < bytes; i++) to[i] = (u8)value;
}

void __aeabi_memset4(u8 *to, u32 bytes, int value) { __aeabi_memset(to, bytes, value); }
void __aeabi_memset8(u8 *to, u32 bytes, int value) { __aeabi_memset(to, bytes, value); }
void __aeabi_memclr(u8 *to, u32 bytes) { __aeabi_memset(to, bytes, 0); }
void __aeabi_memclr4(u8 *to, u32 bytes) { __aeabi_memset(to, bytes, 0); }
void __aeabi_memclr8(u8 *to, u32 bytes) { __aeabi_memset(to, bytes, 0); }

/* Tables of unwinding name it; nothing is ever unwound. */
__attribute__((used, visibility("hidden"))) void __aeabi_unwind_cpp_pr0(void) {}
