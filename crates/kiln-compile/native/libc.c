/* Stands in for the C library while a loader is linked, so that the loader says
 * that it needs it. It is never loaded: a target brings its own. */

#define STANDS(name) void name(void) {}

#if defined(LIBDL)
STANDS(dlopen) STANDS(dlsym) STANDS(dlclose) STANDS(dlerror)
#else
STANDS(malloc) STANDS(free) STANDS(memcpy) STANDS(memset) STANDS(memmove)
STANDS(open) STANDS(creat) STANDS(read) STANDS(write) STANDS(close)
STANDS(exit) STANDS(clock_gettime) STANDS(__libc_start_main)
STANDS(__tls_get_addr) STANDS(___tls_get_addr)
#if defined(__arm__)
STANDS(__aeabi_memcpy) STANDS(__aeabi_memcpy4) STANDS(__aeabi_memcpy8)
STANDS(__aeabi_memclr) STANDS(__aeabi_memclr4) STANDS(__aeabi_memclr8)
STANDS(__aeabi_memset) STANDS(__aeabi_memset4) STANDS(__aeabi_memset8)
#endif
#endif
