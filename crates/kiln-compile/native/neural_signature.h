/* What a neural network takes and gives, as `compiled.signature` says it.
 *
 * The file is text, one line for each fact, and its fields are parted by one space:
 *
 *     kiln-signature 1
 *     entry module.main
 *     input float32 4 1 3 224 224 data
 *     output float32 2 1 1000 probabilities
 *
 * An input or an output has its type as numpy writes it, its rank, its sizes (-1 where
 * the model leaves one open), and its name, which is the rest of the line. The order
 * of the lines is the order of the entry's arguments and results. */

#ifndef KILN_NEURAL_SIGNATURE_H
#define KILN_NEURAL_SIGNATURE_H

#include "model.h"

struct signature {
    char *text; /* the file, cut into strings that the rest points into */
    const char *entry;
    struct tensor *inputs;
    int32_t input_count;
    struct tensor *outputs;
    int32_t output_count;
};

/* Reads a signature from a file; what it holds is freed by `signature_free`, also
 * after a failure. */
int signature_read(const char *path, struct signature *signature, char *error);
void signature_free(struct signature *signature);

#endif
