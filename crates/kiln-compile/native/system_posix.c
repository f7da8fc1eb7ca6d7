/* system.h over the C library of Linux and Android. */

#include "system.h"

void *malloc(size_t bytes);
void free(void *memory);
void *dlopen(const char *path, int flags);
void *dlsym(void *library, const char *name);
int dlclose(void *library);
char *dlerror(void);
int open(const char *path, int flags, ...);
long read(int file, void *bytes, size_t room);
int close(int file);

#if defined(__ANDROID__) && !defined(__LP64__)
enum { NOW = 0, READ_ONLY = 0 };
#else
enum { NOW = 2, READ_ONLY = 0 };
#endif

void *memory_take(size_t bytes) { return malloc(bytes > 0 ? bytes : 1); }
void memory_give(void *memory) { free(memory); }

void *library_open(const char *path, const char **why) {
    void *library = dlopen(path, NOW);
    *why = library ? NULL : dlerror();
    return library;
}

void *library_symbol(void *library, const char *name) { return dlsym(library, name); }
void library_close(void *library) { dlclose(library); }

long file_read(const char *path, char *bytes, size_t room) {
    int file = open(path, READ_ONLY);
    if (file < 0) return -1;
    size_t length = 0;
    long now = 1;
    while (length < room && now > 0) {
        now = read(file, bytes + length, room - length);
        if (now > 0) length += (size_t)now;
    }
    close(file);
    return now < 0 ? -1 : (long)length;
}
