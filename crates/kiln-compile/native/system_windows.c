/* system.h over kernel32.dll, without a C library. */

#include "system.h"

#define IMPORT __declspec(dllimport)
#define SYSTEM __stdcall

IMPORT void *SYSTEM GetProcessHeap(void);
IMPORT void *SYSTEM HeapAlloc(void *heap, unsigned long flags, size_t bytes);
IMPORT int SYSTEM HeapFree(void *heap, unsigned long flags, void *memory);
IMPORT int SYSTEM MultiByteToWideChar(unsigned page, unsigned long flags, const char *text,
                                      int length, wchar_t *wide, int room);
IMPORT void *SYSTEM LoadLibraryExW(const wchar_t *path, void *unused, unsigned long flags);
IMPORT void *SYSTEM GetProcAddress(void *library, const char *name);
IMPORT int SYSTEM FreeLibrary(void *library);
IMPORT void *SYSTEM CreateFileW(const wchar_t *path, unsigned long access, unsigned long share,
                                void *security, unsigned long how, unsigned long flags,
                                void *template);
IMPORT int SYSTEM ReadFile(void *file, void *bytes, unsigned long room, unsigned long *length,
                           void *overlapped);
IMPORT int SYSTEM CloseHandle(void *handle);

#define UTF8 65001
#define GENERIC_READ 0x80000000ul
#define SHARE_READ 1
#define OPEN_EXISTING 3
#define INVALID ((void *)(ptrdiff_t)-1)
#define ROOM 1024 /* a larger frame would ask for the C library's stack probe */

void *memory_take(size_t bytes) { return HeapAlloc(GetProcessHeap(), 0, bytes > 0 ? bytes : 1); }
void memory_give(void *memory) {
    if (memory) HeapFree(GetProcessHeap(), 0, memory);
}

void *library_open(const char *path, const char **why) {
    wchar_t wide[ROOM];
    *why = NULL;
    if (MultiByteToWideChar(UTF8, 0, path, -1, wide, ROOM) <= 0) return NULL;
    return LoadLibraryExW(wide, NULL, 0);
}

void *library_symbol(void *library, const char *name) { return GetProcAddress(library, name); }
void library_close(void *library) { FreeLibrary(library); }

long file_read(const char *path, char *bytes, size_t room) {
    wchar_t wide[ROOM];
    if (MultiByteToWideChar(UTF8, 0, path, -1, wide, ROOM) <= 0) return -1;
    void *file = CreateFileW(wide, GENERIC_READ, SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID) return -1;
    unsigned long length = 0;
    int read = ReadFile(file, bytes, (unsigned long)room, &length, NULL);
    CloseHandle(file);
    return read ? (long)length : -1;
}

/* What compilers make of copies, whether or not there is a C library. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *to, int value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ((char *)to)[i] = (char)value;
    return to;
}
