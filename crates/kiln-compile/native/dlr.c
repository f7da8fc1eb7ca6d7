/* The C interface that clients of AWS's `dlr` package call, over model.h.
 *
 * A handle is opened, used and closed by one thread at a time, which need not
 * always be the same. Every function answers 0, or -1 after it has left a
 * sentence for DLRGetLastError. */

#include <stdbool.h>

#include "metadata.h"
#include "model.h"
#include "system.h"
#include "text.h"

#define VERSION "1.10.0"

typedef struct opened {
    struct model *model;
    bool has_metadata;
} *handle;

static PER_THREAD char last_error[ERROR_LENGTH];

static int fail(const char *const *parts) {
    text_join(last_error, ERROR_LENGTH, parts);
    return -1;
}

#define FAIL(...) fail((const char *const[]){__VA_ARGS__, NULL})

/* As the client's table numbers them. */
static const char *device_name(int device) {
    switch (device) {
    case 1: return "cpu";
    case 2: return "gpu";
    case 4: return "opencl";
    default: return "unknown";
    }
}

static int check_device(const char *path, int device) {
    char required[32];
    metadata_value(path, "TargetDeviceType", required, sizeof required);
    if (!required[0] || text_equal(required, device_name(device))) return 0;
    return FAIL("Compiled model requires device type \"", required, "\" but user gave \"",
                device_name(device), "\".");
}

static bool is_dynamic(const struct tensor *tensor) {
    for (int32_t i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] < 0) return true;
    return false;
}

static int64_t size_of(const struct tensor *tensor) {
    int64_t size = 1;
    for (int32_t i = 0; i < tensor->rank; i++) size *= tensor->shape[i];
    return is_dynamic(tensor) ? -1 : size;
}

/* Bytes of one value of a type such as float32, whose name ends in its bits. */
static size_t width_of(const char *type) {
    size_t bits = 0;
    for (; *type; type++)
        if (*type >= '0' && *type <= '9') bits = bits * 10 + (size_t)(*type - '0');
    return bits < 8 ? 1 : bits >> 3;
}

static const struct tensor *input_at(handle *handle, int index) {
    char number[NUMBER_LENGTH];
    const struct tensor *tensor = index < 0 ? NULL : model_input((*handle)->model, index);
    if (!tensor) FAIL("The model has no input number ", text_number(index, number), ".");
    return tensor;
}

static const struct tensor *output_at(handle *handle, int index) {
    char number[NUMBER_LENGTH];
    const struct tensor *tensor = index < 0 ? NULL : model_output((*handle)->model, index);
    if (!tensor) FAIL("The model has no output number ", text_number(index, number), ".");
    return tensor;
}

/* The index of the input of this name, or -1. */
static int input_named(handle *handle, const char *name) {
    struct model *model = (*handle)->model;
    for (int32_t i = 0; i < model_inputs(model); i++)
        if (text_equal(model_input(model, i)->name, name)) return i;
    return FAIL("The model has no input \"", name, "\".");
}

EXPORT const char *DLRGetLastError(void) { return last_error; }

EXPORT int CreateDLRModel(handle *handle, const char *path, int device, int device_number) {
    (void)device_number;
    *handle = NULL;
    if (check_device(path, device)) return -1;
    struct opened *opened = memory_take(sizeof *opened);
    if (!opened) return FAIL("There is not enough memory for the model.");
    char error[ERROR_LENGTH];
    if (model_open(path, &opened->model, error)) {
        memory_give(opened);
        return FAIL("The model in ", path, " cannot be opened: ", error, ".");
    }
    opened->has_metadata = metadata_exists(path);
    *handle = opened;
    return 0;
}

EXPORT int DeleteDLRModel(handle *handle) {
    if (*handle) model_close((*handle)->model);
    memory_give(*handle);
    *handle = NULL;
    return 0;
}

EXPORT int GetDLRVersion(const char **version) {
    *version = VERSION;
    return 0;
}

/* The client asks for the shapes of outputs when the model is opened, and again
 * after each input (treelite) or after each run (relayvm). */
EXPORT int GetDLRBackend(handle *handle, const char **name) {
    struct model *model = (*handle)->model;
    *name = "tvm";
    if (text_equal(model_backend(model), "trees")) *name = "treelite";
    for (int32_t i = 0; i < model_outputs(model) && text_equal(*name, "tvm"); i++)
        if (is_dynamic(model_output(model, i))) *name = "relayvm";
    return 0;
}

EXPORT int GetDLRHasMetadata(handle *handle, bool *has) {
    *has = (*handle)->has_metadata;
    return 0;
}

EXPORT int GetDLRNumInputs(handle *handle, int *count) {
    *count = model_inputs((*handle)->model);
    return 0;
}

EXPORT int GetDLRNumOutputs(handle *handle, int *count) {
    *count = model_outputs((*handle)->model);
    return 0;
}

/* Weights are within the model, and no inputs of it. */
EXPORT int GetDLRNumWeights(handle *handle, int *count) {
    (void)handle;
    *count = 0;
    return 0;
}

EXPORT int GetDLRWeightName(handle *handle, int index, const char **name) {
    char number[NUMBER_LENGTH];
    (void)handle;
    *name = NULL;
    return FAIL("The model has no weight number ", text_number(index, number), ".");
}

static int name_of(const struct tensor *tensor, const char **name) {
    *name = tensor ? tensor->name : NULL;
    return tensor ? 0 : -1;
}

static int type_of(const struct tensor *tensor, const char **type) {
    *type = tensor ? tensor->type : NULL;
    return tensor ? 0 : -1;
}

static int size_and_rank_of(const struct tensor *tensor, int64_t *size, int *rank) {
    if (!tensor) return -1;
    *size = size_of(tensor);
    *rank = tensor->rank;
    return 0;
}

static int shape_of(const struct tensor *tensor, int64_t *shape) {
    if (!tensor) return -1;
    for (int32_t i = 0; i < tensor->rank; i++) shape[i] = tensor->shape[i];
    return 0;
}

EXPORT int GetDLRInputName(handle *handle, int index, const char **name) {
    return name_of(input_at(handle, index), name);
}

EXPORT int GetDLRInputType(handle *handle, int index, const char **type) {
    return type_of(input_at(handle, index), type);
}

EXPORT int GetDLRInputSizeDim(handle *handle, int index, int64_t *size, int *rank) {
    return size_and_rank_of(input_at(handle, index), size, rank);
}

EXPORT int GetDLRInputShape(handle *handle, int index, int64_t *shape) {
    return shape_of(input_at(handle, index), shape);
}

EXPORT int GetDLROutputName(handle *handle, int index, const char **name) {
    return name_of(output_at(handle, index), name);
}

EXPORT int GetDLROutputType(handle *handle, int index, const char **type) {
    return type_of(output_at(handle, index), type);
}

EXPORT int GetDLROutputSizeDim(handle *handle, int index, int64_t *size, int *rank) {
    return size_and_rank_of(output_at(handle, index), size, rank);
}

EXPORT int GetDLROutputShape(handle *handle, int index, int64_t *shape) {
    return shape_of(output_at(handle, index), shape);
}

EXPORT int SetDLRInput(handle *handle, const char *name, const int64_t *shape, const void *values,
                       int rank) {
    int index = input_named(handle, name);
    if (index < 0) return -1;
    if (rank < 0 || rank > RANK_LIMIT)
        return FAIL("The input \"", name, "\" has more dimensions than there can be.");
    char error[ERROR_LENGTH];
    if (model_set_input((*handle)->model, index, shape, rank, values, error))
        return FAIL("The input \"", name, "\" cannot be set: ", error, ".");
    return 0;
}

EXPORT int GetDLRInput(handle *handle, const char *name, void *values) {
    int index = input_named(handle, name);
    if (index < 0) return -1;
    const void *set = model_get_input((*handle)->model, index);
    if (!set) return FAIL("The input \"", name, "\" has not been set.");
    const struct tensor *tensor = model_input((*handle)->model, index);
    memcpy(values, set, (size_t)size_of(tensor) * width_of(tensor->type));
    return 0;
}

EXPORT int RunDLRModel(handle *handle) {
    char error[ERROR_LENGTH];
    if (model_run((*handle)->model, error)) return FAIL("The model did not run: ", error, ".");
    return 0;
}

EXPORT int GetDLROutput(handle *handle, int index, void *values) {
    const struct tensor *tensor = output_at(handle, index);
    if (!tensor) return -1;
    const void *made = model_get_output((*handle)->model, index);
    if (!made) return FAIL("The output \"", tensor->name, "\" is not there before the model runs.");
    memcpy(values, made, (size_t)size_of(tensor) * width_of(tensor->type));
    return 0;
}
