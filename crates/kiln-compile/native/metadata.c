/* Reads the few members of `compiled.meta` that matter to a loader. The file is
 * ours (src/dlr/metadata.rs): JSON without escapes in what is asked for. */

#include "metadata.h"
#include "system.h"
#include "text.h"

#define META_LENGTH 65536

/* The file's text, to be given back; NULL when it cannot be read. */
static char *metadata_text(const char *folder) {
    char *path = memory_take(PATH_LENGTH);
    char *text = memory_take(META_LENGTH);
    long length = -1;
    if (path && text) {
        TEXT(path, PATH_LENGTH, folder, FOLDER_END, "compiled.meta");
        length = file_read(path, text, META_LENGTH - 1);
    }
    memory_give(path);
    if (length >= 0) {
        text[length] = 0;
        return text;
    }
    memory_give(text);
    return NULL;
}

/* Behind the quoted name and its colon; NULL where it does not stand. */
static const char *after_member(const char *text, const char *member) {
    size_t length = text_length(member);
    for (; *text; text++) {
        if (*text != '"') continue;
        size_t same = 0;
        while (same < length && text[1 + same] == member[same]) same++;
        if (same < length || text[1 + length] != '"') continue;
        const char *behind = text + length + 2;
        if (*behind != ':') continue; /* a value of that name */
        behind++;
        while (*behind == ' ' || *behind == '\n') behind++;
        return behind;
    }
    return NULL;
}

int metadata_exists(const char *folder) {
    char *text = metadata_text(folder);
    memory_give(text);
    return text != NULL;
}

void metadata_value(const char *folder, const char *member, char *value, size_t room) {
    char *text = metadata_text(folder);
    const char *from = text ? after_member(text, member) : NULL;
    size_t at = 0;
    if (from) {
        int quoted = *from == '"';
        from += quoted;
        for (; *from && at + 1 < room; from++) {
            int ends = quoted ? *from == '"' : *from == ',' || *from == '}' || *from <= ' ';
            if (ends) break;
            value[at++] = *from;
        }
    }
    value[at] = 0;
    memory_give(text);
}
