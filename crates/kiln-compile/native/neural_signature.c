/* Reads the text form of a signature, see the header. */

#include "neural_signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "kiln-signature 1"

static int fail(char *error, const char *message) {
    snprintf(error, ERROR_LENGTH, "the signature of the model %s", message);
    return 1;
}

static char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = NULL;
    long length = -1;
    if (fseek(file, 0, SEEK_END) == 0) length = ftell(file);
    if (length >= 0 && fseek(file, 0, SEEK_SET) == 0) text = malloc((size_t)length + 1);
    if (text && fread(text, 1, (size_t)length, file) != (size_t)length) {
        free(text);
        text = NULL;
    }
    if (text) text[length] = '\0';
    fclose(file);
    return text;
}

/* Cuts the text at the next line's end; NULL when nothing is left. */
static char *next_line(char **rest) {
    char *line = *rest;
    if (!*line) return NULL;
    char *end = strchr(line, '\n');
    if (end) *end = '\0';
    *rest = end ? end + 1 : line + strlen(line);
    return line;
}

/* Cuts the line at the next space. */
static char *next_field(char **rest) {
    char *field = *rest;
    char *end = strchr(field, ' ');
    if (end) *end = '\0';
    *rest = end ? end + 1 : field + strlen(field);
    return field;
}

static int read_number(char **rest, int64_t least, int64_t *number) {
    char *field = next_field(rest), *end = NULL;
    long long value = strtoll(field, &end, 10);
    *number = value;
    return end == field || *end || value < least;
}

static int read_tensor(char *line, struct tensor *tensor) {
    int64_t rank = 0;
    tensor->type = next_field(&line);
    if (read_number(&line, 0, &rank) || rank > RANK_LIMIT) return 1;
    tensor->rank = (int32_t)rank;
    for (int32_t i = 0; i < tensor->rank; i++)
        if (read_number(&line, -1, &tensor->shape[i])) return 1;
    tensor->name = line;
    return 0;
}

static int append_tensor(char *line, struct tensor **tensors, int32_t *count) {
    struct tensor *grown = realloc(*tensors, sizeof(**tensors) * (size_t)(*count + 1));
    if (!grown) return 1;
    *tensors = grown;
    return read_tensor(line, &grown[(*count)++]);
}

int signature_read(const char *path, struct signature *signature, char *error) {
    memset(signature, 0, sizeof(*signature));
    signature->text = read_text(path);
    if (!signature->text) return fail(error, "cannot be read");
    char *rest = signature->text, *line = next_line(&rest);
    if (!line || strcmp(line, FORMAT) != 0) return fail(error, "is of a form that this loader does not know");
    while ((line = next_line(&rest))) {
        char *kind = next_field(&line);
        int bad = 1;
        if (strcmp(kind, "entry") == 0) {
            signature->entry = line;
            bad = !*line;
        } else if (strcmp(kind, "input") == 0) {
            bad = append_tensor(line, &signature->inputs, &signature->input_count);
        } else if (strcmp(kind, "output") == 0) {
            bad = append_tensor(line, &signature->outputs, &signature->output_count);
        }
        if (bad) return fail(error, "is damaged");
    }
    return signature->entry ? 0 : fail(error, "names no entry");
}

void signature_free(struct signature *signature) {
    free(signature->inputs);
    free(signature->outputs);
    free(signature->text);
    memset(signature, 0, sizeof(*signature));
}
