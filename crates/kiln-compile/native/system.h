/* The little that a model's loader asks of the operating system.
 *
 * Nothing here needs the C library's headers: some targets' are not at hand
 * (Android), others' take minutes to prepare (Windows), and these few functions
 * are the same in every version. */

#ifndef KILN_SYSTEM_H
#define KILN_SYSTEM_H

#include <stddef.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#define FOLDER_END "\\"
#define LIBRARY_END ".dll"
#else
#define EXPORT __attribute__((visibility("default")))
#define FOLDER_END "/"
#define LIBRARY_END ".so"
#endif

/* Where threads cannot have variables of their own without the C library's
 * help, they share one. */
#if defined(_WIN32) || defined(__ANDROID__)
#define PER_THREAD
#else
#define PER_THREAD _Thread_local
#endif

#define PATH_LENGTH 4096

/* NULL when there is no more. */
void *memory_take(size_t bytes);
void memory_give(void *memory);

/* NULL when it cannot be loaded; then `why` is set if the system says why. */
void *library_open(const char *path, const char **why);
void *library_symbol(void *library, const char *name);
void library_close(void *library);

/* Up to `room` bytes of a file's beginning; -1 when it cannot be read. */
long file_read(const char *path, char *bytes, size_t room);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

#endif
