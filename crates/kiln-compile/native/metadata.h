/* What `compiled.meta`, beside a model, says of it. */

#ifndef KILN_METADATA_H
#define KILN_METADATA_H

#include <stddef.h>

/* Whether the folder has metadata. */
int metadata_exists(const char *folder);

/* The value of the first member with this name, a text without its quotes or a
 * number or a word as it stands; the empty text where there is none. */
void metadata_value(const char *folder, const char *member, char *value, size_t room);

#endif
