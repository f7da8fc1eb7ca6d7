/* A neural network that IREE compiled, behind model.h.
 *
 * The folder has `compiled.vmfb`, which is mapped and stays mapped, so that weights are
 * read from the file's pages where they are aligned as the processor needs them, and
 * `compiled.signature`. The model runs in the thread that calls it. */

#include "model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iree/modules/hal/types.h"
#include "neural_runtime.h"
#include "neural_signature.h"

/* An input's or an output's values, and the same as the runtime sees them. */
struct slot {
    iree_hal_buffer_view_t *view;
    iree_hal_buffer_mapping_t mapping;
};

struct model {
    struct signature signature;
    struct tensor *outputs; /* the signature's, with the sizes of the last run */
    void *file;
    size_t file_length;
    struct runtime runtime;
    iree_vm_function_t entry;
    iree_vm_list_t *arguments;
    iree_vm_list_t *results;
    struct slot *input_slots;
    struct slot *output_slots;
};

static const struct element {
    const char *name;
    iree_hal_element_type_t type;
} elements[] = {
    {"float32", IREE_HAL_ELEMENT_TYPE_FLOAT_32}, {"float64", IREE_HAL_ELEMENT_TYPE_FLOAT_64},
    {"float16", IREE_HAL_ELEMENT_TYPE_FLOAT_16}, {"bfloat16", IREE_HAL_ELEMENT_TYPE_BFLOAT_16},
    {"int8", IREE_HAL_ELEMENT_TYPE_SINT_8},      {"uint8", IREE_HAL_ELEMENT_TYPE_UINT_8},
    {"int16", IREE_HAL_ELEMENT_TYPE_SINT_16},    {"uint16", IREE_HAL_ELEMENT_TYPE_UINT_16},
    {"int32", IREE_HAL_ELEMENT_TYPE_SINT_32},    {"uint32", IREE_HAL_ELEMENT_TYPE_UINT_32},
    {"int64", IREE_HAL_ELEMENT_TYPE_SINT_64},    {"uint64", IREE_HAL_ELEMENT_TYPE_UINT_64},
    {"bool", IREE_HAL_ELEMENT_TYPE_BOOL_8},
};

static const struct element *find_element(const char *name) {
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++)
        if (strcmp(elements[i].name, name) == 0) return &elements[i];
    return NULL;
}

/* Writes the runtime's complaint down and takes the status. */
static int told(iree_status_t status, const char *what, char *error) {
    if (iree_status_is_ok(status)) return 0;
    int length = snprintf(error, ERROR_LENGTH, "%s: ", what);
    iree_host_size_t written = 0;
    iree_status_format(status, ERROR_LENGTH - (iree_host_size_t)length, error + length, &written);
    error[ERROR_LENGTH - 1] = '\0';
    iree_status_ignore(status);
    return 1;
}

static void release_slot(struct slot *slot) {
    if (!slot->view) return;
    iree_status_ignore(iree_hal_buffer_unmap_range(&slot->mapping));
    iree_hal_buffer_view_release(slot->view);
    memset(slot, 0, sizeof(*slot));
}

static iree_status_t map_slot(struct slot *slot, iree_hal_memory_access_t access) {
    iree_status_t status =
        iree_hal_buffer_map_range(iree_hal_buffer_view_buffer(slot->view), IREE_HAL_MAPPING_MODE_PERSISTENT, access,
                                  0, IREE_HAL_WHOLE_BUFFER, &slot->mapping);
    if (!iree_status_is_ok(status)) {
        iree_hal_buffer_view_release(slot->view);
        memset(slot, 0, sizeof(*slot));
    }
    return status;
}

/* Makes room for an input of this shape. */
static iree_status_t fill_slot(struct model *model, struct slot *slot, const struct element *element,
                               const int64_t *shape, int32_t rank) {
    iree_hal_dim_t dims[RANK_LIMIT];
    for (int32_t i = 0; i < rank; i++) dims[i] = (iree_hal_dim_t)shape[i];
    iree_device_size_t size = 0;
    IREE_RETURN_IF_ERROR(iree_hal_buffer_compute_view_size((iree_host_size_t)rank, dims, element->type,
                                                           IREE_HAL_ENCODING_TYPE_DENSE_ROW_MAJOR, &size));
    iree_hal_buffer_params_t params = {
        .type = IREE_HAL_MEMORY_TYPE_HOST_LOCAL | IREE_HAL_MEMORY_TYPE_DEVICE_VISIBLE,
        .usage = IREE_HAL_BUFFER_USAGE_DEFAULT | IREE_HAL_BUFFER_USAGE_MAPPING_PERSISTENT,
        .access = IREE_HAL_MEMORY_ACCESS_ALL,
    };
    iree_hal_buffer_t *buffer = NULL;
    IREE_RETURN_IF_ERROR(
        iree_hal_allocator_allocate_buffer(iree_hal_device_allocator(model->runtime.device), params, size, &buffer));
    iree_status_t status =
        iree_hal_buffer_view_create(buffer, (iree_host_size_t)rank, dims, element->type,
                                    IREE_HAL_ENCODING_TYPE_DENSE_ROW_MAJOR, iree_allocator_system(), &slot->view);
    iree_hal_buffer_release(buffer);
    IREE_RETURN_IF_ERROR(status);
    return map_slot(slot, IREE_HAL_MEMORY_ACCESS_READ | IREE_HAL_MEMORY_ACCESS_WRITE);
}

static int map_file(struct model *model, const char *folder, char *error) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/compiled.vmfb", folder);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (file >= 0 && fstat(file, &facts) == 0 && facts.st_size > 0) {
        void *mapped = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (mapped != MAP_FAILED) {
            model->file = mapped;
            model->file_length = (size_t)facts.st_size;
        }
    }
    if (file >= 0) close(file);
    if (model->file) return 0;
    snprintf(error, ERROR_LENGTH, "%.900s cannot be read", path);
    return 1;
}

static iree_status_t find_entry(struct model *model) {
    const struct signature *signature = &model->signature;
    IREE_RETURN_IF_ERROR(iree_vm_context_resolve_function(
        model->runtime.context, iree_make_cstring_view(signature->entry), &model->entry));
    iree_vm_type_def_t any = iree_vm_make_undefined_type_def();
    IREE_RETURN_IF_ERROR(iree_vm_list_create(any, (iree_host_size_t)signature->input_count, iree_allocator_system(),
                                             &model->arguments));
    return iree_vm_list_create(any, (iree_host_size_t)signature->output_count, iree_allocator_system(),
                               &model->results);
}

static int make_slots(struct model *model, const char *folder, char *error) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/compiled.signature", folder);
    struct signature *signature = &model->signature;
    if (signature_read(path, signature, error)) return 1;
    for (int32_t i = 0; i < signature->input_count; i++) {
        if (find_element(signature->inputs[i].type)) continue;
        snprintf(error, ERROR_LENGTH, "input %.300s has the type %.100s, which no loader of neural networks takes",
                 signature->inputs[i].name, signature->inputs[i].type);
        return 1;
    }
    size_t outputs = sizeof(struct tensor) * (size_t)signature->output_count;
    model->input_slots = calloc((size_t)signature->input_count + 1, sizeof(struct slot));
    model->output_slots = calloc((size_t)signature->output_count + 1, sizeof(struct slot));
    model->outputs = malloc(outputs + 1);
    if (!model->input_slots || !model->output_slots || !model->outputs) {
        snprintf(error, ERROR_LENGTH, "there is no memory for the model");
        return 1;
    }
    if (outputs) memcpy(model->outputs, signature->outputs, outputs);
    return 0;
}

int model_open(const char *folder, struct model **opened, char *error) {
    *opened = NULL;
    struct model *model = calloc(1, sizeof(*model));
    if (!model) {
        snprintf(error, ERROR_LENGTH, "there is no memory for the model");
        return 1;
    }
    if (make_slots(model, folder, error) || map_file(model, folder, error) ||
        told(runtime_open(&model->runtime, model->file, model->file_length), "the model cannot be loaded", error) ||
        told(find_entry(model), "the model has no such entry", error)) {
        model_close(model);
        return 1;
    }
    *opened = model;
    return 0;
}

void model_close(struct model *model) {
    if (!model) return;
    for (int32_t i = 0; model->input_slots && i < model->signature.input_count; i++)
        release_slot(&model->input_slots[i]);
    for (int32_t i = 0; model->output_slots && i < model->signature.output_count; i++)
        release_slot(&model->output_slots[i]);
    iree_vm_list_release(model->arguments);
    iree_vm_list_release(model->results);
    runtime_close(&model->runtime);
    if (model->file) munmap(model->file, model->file_length);
    free(model->input_slots);
    free(model->output_slots);
    free(model->outputs);
    signature_free(&model->signature);
    free(model);
}

const char *model_backend(const struct model *model) {
    (void)model;
    return "neural";
}

int32_t model_inputs(const struct model *model) { return model->signature.input_count; }

int32_t model_outputs(const struct model *model) { return model->signature.output_count; }

const struct tensor *model_input(const struct model *model, int32_t index) {
    return index >= 0 && index < model->signature.input_count ? &model->signature.inputs[index] : NULL;
}

const struct tensor *model_output(const struct model *model, int32_t index) {
    return index >= 0 && index < model->signature.output_count ? &model->outputs[index] : NULL;
}

static int fits(const struct tensor *tensor, const int64_t *shape, int32_t rank) {
    if (rank != tensor->rank) return 0;
    for (int32_t i = 0; i < rank; i++)
        if (shape[i] < 0 || (tensor->shape[i] >= 0 && shape[i] != tensor->shape[i])) return 0;
    return 1;
}

static int has_shape(const struct slot *slot, const int64_t *shape, int32_t rank) {
    if (!slot->view || iree_hal_buffer_view_shape_rank(slot->view) != (iree_host_size_t)rank) return 0;
    for (int32_t i = 0; i < rank; i++)
        if ((int64_t)iree_hal_buffer_view_shape_dim(slot->view, (iree_host_size_t)i) != shape[i]) return 0;
    return 1;
}

/* A shape as "1x3x224x224". */
static void write_shape(const int64_t *shape, int32_t rank, char *text, size_t room) {
    size_t used = 0;
    text[0] = '\0';
    for (int32_t i = 0; i < rank && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, i ? "x%lld" : "%lld", (long long)shape[i]);
}

static int refuse_shape(const struct tensor *tensor, const int64_t *shape, int32_t rank, char *error) {
    char wanted[128], given[128];
    write_shape(tensor->shape, tensor->rank, wanted, sizeof(wanted));
    write_shape(shape, rank, given, sizeof(given));
    snprintf(error, ERROR_LENGTH, "input %.300s has the shape %s, and %s was given", tensor->name, wanted, given);
    return 1;
}

int model_set_input(struct model *model, int32_t index, const int64_t *shape, int32_t rank, const void *values,
                    char *error) {
    const struct tensor *tensor = model_input(model, index);
    if (!tensor) {
        snprintf(error, ERROR_LENGTH, "the model has no input %d", (int)index);
        return 1;
    }
    if (!fits(tensor, shape, rank)) return refuse_shape(tensor, shape, rank, error);
    struct slot *slot = &model->input_slots[index];
    if (!has_shape(slot, shape, rank)) {
        release_slot(slot);
        iree_status_t status = fill_slot(model, slot, find_element(tensor->type), shape, rank);
        if (told(status, "the input cannot be kept", error)) return 1;
    }
    memcpy(slot->mapping.contents.data, values, slot->mapping.contents.data_length);
    return 0;
}

const void *model_get_input(const struct model *model, int32_t index) {
    if (!model_input(model, index)) return NULL;
    return model->input_slots[index].mapping.contents.data;
}

static iree_status_t push_arguments(struct model *model) {
    IREE_RETURN_IF_ERROR(iree_vm_list_resize(model->arguments, 0));
    for (int32_t i = 0; i < model->signature.input_count; i++) {
        iree_hal_buffer_view_t *view = model->input_slots[i].view;
        if (!view)
            return iree_make_status(IREE_STATUS_FAILED_PRECONDITION, "input %s has not been set",
                                    model->signature.inputs[i].name);
        iree_vm_ref_t reference = iree_hal_buffer_view_retain_ref(view);
        IREE_RETURN_IF_ERROR(iree_vm_list_push_ref_move(model->arguments, &reference));
    }
    return iree_ok_status();
}

static iree_status_t take_result(struct model *model, int32_t index) {
    struct slot *slot = &model->output_slots[index];
    struct tensor *tensor = &model->outputs[index];
    iree_hal_buffer_view_t *view =
        iree_vm_list_get_ref_deref(model->results, (iree_host_size_t)index, iree_hal_buffer_view_type());
    iree_host_size_t rank = view ? iree_hal_buffer_view_shape_rank(view) : RANK_LIMIT + 1;
    if (rank > RANK_LIMIT) return iree_make_status(IREE_STATUS_INTERNAL, "output %s is no tensor", tensor->name);
    iree_hal_buffer_view_retain(view);
    slot->view = view;
    tensor->rank = (int32_t)rank;
    for (iree_host_size_t i = 0; i < rank; i++) tensor->shape[i] = (int64_t)iree_hal_buffer_view_shape_dim(view, i);
    return map_slot(slot, IREE_HAL_MEMORY_ACCESS_READ);
}

static iree_status_t run(struct model *model) {
    for (int32_t i = 0; i < model->signature.output_count; i++) release_slot(&model->output_slots[i]);
    IREE_RETURN_IF_ERROR(push_arguments(model));
    IREE_RETURN_IF_ERROR(iree_vm_list_resize(model->results, 0));
    IREE_RETURN_IF_ERROR(iree_vm_invoke(model->runtime.context, model->entry, IREE_VM_INVOCATION_FLAG_NONE, NULL,
                                        model->arguments, model->results, iree_allocator_system()));
    for (int32_t i = 0; i < model->signature.output_count; i++) {
        IREE_RETURN_IF_ERROR(take_result(model, i));
    }
    /* The values live on in the slots alone. */
    return iree_vm_list_resize(model->results, 0);
}

int model_run(struct model *model, char *error) { return told(run(model), "the model did not run", error); }

const void *model_get_output(const struct model *model, int32_t index) {
    if (!model_output(model, index)) return NULL;
    return model->output_slots[index].mapping.contents.data;
}
