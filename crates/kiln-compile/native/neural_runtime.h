/* IREE's runtime with one module in it: the processor as a device whose work is done in
 * the calling thread, and the loader of the ELF libraries that modules carry. */

#ifndef KILN_NEURAL_RUNTIME_H
#define KILN_NEURAL_RUNTIME_H

#include "iree/base/api.h"
#include "iree/hal/api.h"
#include "iree/vm/api.h"

struct runtime {
    iree_vm_instance_t *instance;
    iree_hal_device_t *device;
    iree_vm_context_t *context;
};

/* Loads a module, whose bytes must stay until the runtime is closed. What was made of
 * it is closed by `runtime_close`, also after a failure. */
iree_status_t runtime_open(struct runtime *runtime, const void *file, size_t file_length);
void runtime_close(struct runtime *runtime);

#endif
