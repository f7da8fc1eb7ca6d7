/* A compiled model, as the loader that clients open sees it.
 *
 * `dlr.c` turns these few functions into the C interface that clients of AWS's
 * `dlr` package call. A kind of model (trees, a neural network) implements them
 * once, and its `libdlr.so` is `dlr.c` and that implementation.
 *
 * All functions that return int return 0 for success; otherwise `error` (at
 * least ERROR_LENGTH bytes) holds a sentence that ends without a full stop. */

#ifndef KILN_MODEL_H
#define KILN_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define ERROR_LENGTH 1024
#define RANK_LIMIT 16

/* An input or an output. A size of -1 is not known before the model has run. */
struct tensor {
    const char *name;
    const char *type; /* as numpy writes it: float32, int64, uint8, … */
    int32_t rank;
    int64_t shape[RANK_LIMIT];
};

struct model; /* the implementation's own */

/* Opens the model in a folder; `*model` is NULL when it fails. */
int model_open(const char *folder, struct model **model, char *error);
void model_close(struct model *model);

/* "trees" or "neural". */
const char *model_backend(const struct model *model);

int32_t model_inputs(const struct model *model);
int32_t model_outputs(const struct model *model);
/* What stands there until the next call on this model; NULL beyond the last. */
const struct tensor *model_input(const struct model *model, int32_t index);
const struct tensor *model_output(const struct model *model, int32_t index);

/* Copies an input's values, whose number follows from its shape. */
int model_set_input(struct model *model, int32_t index, const int64_t *shape, int32_t rank,
                    const void *values, char *error);
/* The values that were set last; NULL before. */
const void *model_get_input(const struct model *model, int32_t index);
int model_run(struct model *model, char *error);
/* An output's values, until the model runs again or is closed; NULL before it has run. */
const void *model_get_output(const struct model *model, int32_t index);

#endif
