/* model.h over a tree ensemble: the `compiled.so` that the kernel and its data
 * were linked into. It has one input of rows and one output of predictions. */

#include "metadata.h"
#include "model.h"
#include "system.h"
#include "text.h"

#define ALIGNMENT 64
#define NOT_A_NUMBER 0x7fc00000u

typedef void predict(const float *rows, size_t count, float *out, void *scratch);

struct model {
    void *library;
    predict *predict;
    uint32_t features, outputs;
    int zero_is_missing; /* as in the sparse text form that libsvm has */
    struct tensor input, output;
    uint32_t *given; /* the input's values, as bits */
    uint32_t *rows;  /* the same as whole rows, where they were given otherwise */
    float *predictions;
    size_t room; /* rows that each of them has room for */
    int is_set, has_run;
    void *lent; /* the kernel's, aligned within */
    void *scratch;
};

static int fail(char *error, const char *what, const char *why) {
    TEXT(error, ERROR_LENGTH, what, why ? ": " : "", why ? why : "");
    return -1;
}

static void describe(struct tensor *tensor, const char *name, uint32_t width) {
    tensor->name = name;
    tensor->type = "float32";
    tensor->rank = 2;
    tensor->shape[0] = -1;
    tensor->shape[1] = width;
}

static int load(struct model *model, const char *folder, char *error) {
    char *path = memory_take(PATH_LENGTH);
    const char *why = NULL;
    if (!path) return fail(error, "there is not enough memory for it", NULL);
    TEXT(path, PATH_LENGTH, folder, FOLDER_END, "compiled" LIBRARY_END);
    model->library = library_open(path, &why);
    memory_give(path);
    if (!model->library) return fail(error, "its compiled" LIBRARY_END " cannot be loaded", why);

    uint32_t (*features)(void), (*outputs)(void);
    size_t (*scratch)(void);
    *(void **)&features = library_symbol(model->library, "kiln_trees_features");
    *(void **)&outputs = library_symbol(model->library, "kiln_trees_outputs");
    *(void **)&scratch = library_symbol(model->library, "kiln_trees_scratch");
    *(void **)&model->predict = library_symbol(model->library, "kiln_trees_predict");
    if (!features || !outputs || !scratch || !model->predict)
        return fail(error, "its compiled" LIBRARY_END " holds no trees", NULL);

    model->features = features();
    model->outputs = outputs();
    model->lent = memory_take(scratch() + ALIGNMENT);
    if (!model->lent) return fail(error, "there is not enough memory for it", NULL);
    uintptr_t aligned = ((uintptr_t)model->lent + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    model->scratch = (void *)aligned;
    return 0;
}

int model_open(const char *folder, struct model **to, char *error) {
    *to = NULL;
    struct model *model = memory_take(sizeof *model);
    if (!model) return fail(error, "there is not enough memory for it", NULL);
    memset(model, 0, sizeof *model);
    if (load(model, folder, error)) {
        model_close(model);
        return -1;
    }
    char sparse[8];
    metadata_value(folder, "SparseInput", sparse, sizeof sparse);
    model->zero_is_missing = text_equal(sparse, "1") || text_equal(sparse, "true");
    describe(&model->input, "data", model->features);
    describe(&model->output, "output", model->outputs);
    *to = model;
    return 0;
}

static void give_room(struct model *model) {
    memory_give(model->given);
    memory_give(model->rows);
    memory_give(model->predictions);
    model->given = model->rows = NULL;
    model->predictions = NULL;
    model->room = 0;
}

void model_close(struct model *model) {
    give_room(model);
    memory_give(model->lent);
    if (model->library) library_close(model->library);
    memory_give(model);
}

const char *model_backend(const struct model *model) {
    (void)model;
    return "trees";
}

int32_t model_inputs(const struct model *model) {
    (void)model;
    return 1;
}

int32_t model_outputs(const struct model *model) {
    (void)model;
    return 1;
}

const struct tensor *model_input(const struct model *model, int32_t index) {
    return index == 0 ? &model->input : NULL;
}

const struct tensor *model_output(const struct model *model, int32_t index) {
    return index == 0 ? &model->output : NULL;
}

static int make_room(struct model *model, size_t rows) {
    if (rows <= model->room) return 0;
    give_room(model);
    size_t input, output;
    if (__builtin_mul_overflow(rows, model->features * sizeof(float), &input)) return -1;
    if (__builtin_mul_overflow(rows, model->outputs * sizeof(float), &output)) return -1;
    model->given = memory_take(input);
    model->rows = memory_take(input);
    model->predictions = memory_take(output);
    if (!model->given || !model->rows || !model->predictions) return -1;
    model->room = rows;
    return 0;
}

/* The rows as the kernel takes them. They may have been given shorter than the
 * model's, as those of sparse forms are: what they lack is missing. */
static const uint32_t *whole_rows(struct model *model) {
    const uint32_t *from = model->given;
    uint32_t *to = model->rows;
    size_t features = model->features, width = (size_t)model->input.shape[1];
    if (width == features && !model->zero_is_missing) return from;
    for (int64_t r = 0; r < model->input.shape[0]; r++, to += features, from += width)
        for (size_t f = 0; f < features; f++) {
            to[f] = f < width ? from[f] : NOT_A_NUMBER;
            if (model->zero_is_missing && to[f] << 1 == 0) to[f] = NOT_A_NUMBER;
        }
    return model->rows;
}

int model_set_input(struct model *model, int32_t index, const int64_t *shape, int32_t rank,
                    const void *values, char *error) {
    (void)index;
    char has[NUMBER_LENGTH], takes[NUMBER_LENGTH];
    if (rank != 1 && rank != 2) return fail(error, "it is not a table of rows", NULL);
    int64_t rows = rank == 2 ? shape[0] : 1, width = shape[rank - 1];
    if (width < 0 || width > model->features) {
        TEXT(error, ERROR_LENGTH, "its rows have ", text_number(width, has),
             " values, where the model takes ", text_number(model->features, takes));
        return -1;
    }
    model->is_set = model->has_run = 0;
    if (rows < 0 || (uint64_t)rows > SIZE_MAX || make_room(model, (size_t)rows))
        return fail(error, "there is not enough memory for its rows", NULL);
    memcpy(model->given, values, (size_t)(rows * width) * sizeof *model->given);
    model->input.shape[0] = model->output.shape[0] = rows;
    model->input.shape[1] = width;
    model->is_set = 1;
    return 0;
}

const void *model_get_input(const struct model *model, int32_t index) {
    return index == 0 && model->is_set ? model->given : NULL;
}

int model_run(struct model *model, char *error) {
    if (!model->is_set) return fail(error, "its input has not been set", NULL);
    size_t rows = (size_t)model->input.shape[0];
    model->predict((const float *)whole_rows(model), rows, model->predictions, model->scratch);
    model->has_run = 1;
    return 0;
}

const void *model_get_output(const struct model *model, int32_t index) {
    return index == 0 && model->has_run ? model->predictions : NULL;
}
