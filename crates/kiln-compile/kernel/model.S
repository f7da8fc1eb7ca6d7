/* The packed ensemble, as the kernel finds it. */

    .section .rodata
    .balign 64
    .globl kiln_model
    .hidden kiln_model
kiln_model:
    .incbin KILN_MODEL
    .section .note.GNU-stack,"",%progbits
