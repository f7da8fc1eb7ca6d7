; Functions that code for 32-bit ARM calls and the loader of embedded libraries does not
; offer. The compiler links them into each library, see `neural/device.rs`; it takes
; bitcode only. It is made anew by
;     zig clang -cc1 -triple armv7a-unknown-unknown-eabi -emit-llvm-bc -O1 -x ir arm32.ll -o arm32.bc

; The processor's own comparison answers false where an operand is no number, so the
; other operand is the answer, as in C.
define weak float @fmaxf(float %a, float %b) {
  %a_is_number = fcmp ord float %a, %a
  %a_is_greater = fcmp ogt float %a, %b
  %b_is_nan = fcmp uno float %b, %b
  %a_wins = or i1 %a_is_greater, %b_is_nan
  %take_a = and i1 %a_is_number, %a_wins
  %result = select i1 %take_a, float %a, float %b
  ret float %result
}

define weak float @fminf(float %a, float %b) {
  %a_is_number = fcmp ord float %a, %a
  %a_is_less = fcmp olt float %a, %b
  %b_is_nan = fcmp uno float %b, %b
  %a_wins = or i1 %a_is_less, %b_is_nan
  %take_a = and i1 %a_is_number, %a_wins
  %result = select i1 %take_a, float %a, float %b
  ret float %result
}

; Tables of unwinding name it; nothing is ever unwound.
@llvm.used = appending global [1 x ptr] [ptr @__aeabi_unwind_cpp_pr0], section "llvm.metadata"

define hidden void @__aeabi_unwind_cpp_pr0() {
  ret void
}
