/* Where a program begins, in the stead of the C library's crt1.o: the arguments
 * lie on the stack, and glibc is asked to call main. */

void program(long *stack) __attribute__((noreturn, used));
int main(int count, char **arguments);
int __libc_start_main(int (*main)(int, char **), int count, char **arguments, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack);

#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call program\n");
#elif defined(__i386__)
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %esp, %eax\n and $-16, %esp\n"
        " sub $12, %esp\n push %eax\n call program\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n and sp, x0, #-16\n"
        " b program\n");
#elif defined(__arm__)
__asm__(".globl _start\n_start: mov fp, #0\n mov lr, #0\n mov r0, sp\n bic sp, r0, #15\n"
        " b program\n");
#endif

void program(long *stack) {
    __libc_start_main(main, (int)stack[0], (char **)(stack + 1), 0, 0, 0, stack);
    __builtin_unreachable();
}
