/* Makes IREE's runtime for one model, see the header. */

#include "neural_runtime.h"

#include <string.h>

#include "iree/async/frontier_tracker.h"
#include "iree/async/util/proactor_pool.h"
#include "iree/hal/drivers/local_sync/sync_device.h"
#include "iree/hal/local/executable_plugin_manager.h"
#include "iree/hal/local/loaders/embedded_elf_loader.h"
#include "iree/modules/hal/module.h"
#include "iree/modules/hal/types.h"
#include "iree/vm/bytecode/module.h"

iree_async_proactor_pool_t *neural_proactors(void);

static iree_status_t make_device(iree_hal_device_t **device) {
    iree_allocator_t host = iree_allocator_system();
    iree_hal_executable_plugin_manager_t *plugins = NULL;
    iree_hal_executable_loader_t *loader = NULL;
    iree_hal_allocator_t *memory = NULL;
    iree_hal_sync_device_params_t params;
    iree_hal_sync_device_params_initialize(&params);
    iree_hal_device_create_params_t create = iree_hal_device_create_params_default();
    create.proactor_pool = neural_proactors();
    iree_status_t status = iree_hal_executable_plugin_manager_create(0, host, &plugins);
    if (iree_status_is_ok(status)) status = iree_hal_embedded_elf_loader_create(plugins, host, &loader);
    if (iree_status_is_ok(status))
        status = iree_hal_allocator_create_heap(iree_make_cstring_view("local"), host, host, &memory);
    if (iree_status_is_ok(status))
        status = iree_hal_sync_device_create(iree_make_cstring_view("local"), &params, &create, 1, &loader, memory,
                                             host, device);
    iree_hal_allocator_release(memory);
    iree_hal_executable_loader_release(loader);
    iree_hal_executable_plugin_manager_release(plugins);
    return status;
}

static iree_status_t make_hal_module(struct runtime *runtime, iree_vm_module_t **module) {
    iree_allocator_t host = iree_allocator_system();
    iree_async_frontier_tracker_t *tracker = NULL;
    iree_hal_device_group_t *group = NULL;
    iree_status_t status =
        iree_async_frontier_tracker_create(iree_async_frontier_tracker_options_default(), host, &tracker);
    if (iree_status_is_ok(status))
        status = iree_hal_device_group_create_from_device(runtime->device, tracker, host, &group);
    if (iree_status_is_ok(status))
        status = iree_hal_module_create(runtime->instance, iree_hal_module_device_policy_default(), group,
                                        IREE_HAL_MODULE_FLAG_SYNCHRONOUS, iree_hal_module_debug_sink_null(), host,
                                        module);
    iree_hal_device_group_release(group);
    iree_async_frontier_tracker_release(tracker);
    return status;
}

iree_status_t runtime_open(struct runtime *runtime, const void *file, size_t file_length) {
    iree_allocator_t host = iree_allocator_system();
    IREE_RETURN_IF_ERROR(iree_vm_instance_create(IREE_VM_TYPE_CAPACITY_DEFAULT, host, &runtime->instance));
    IREE_RETURN_IF_ERROR(iree_hal_module_register_all_types(runtime->instance));
    IREE_RETURN_IF_ERROR(make_device(&runtime->device));
    iree_vm_module_t *modules[2] = {NULL, NULL};
    iree_status_t status = make_hal_module(runtime, &modules[0]);
    if (iree_status_is_ok(status))
        status = iree_vm_bytecode_module_create(runtime->instance, IREE_VM_BYTECODE_MODULE_FLAG_NONE,
                                                iree_make_const_byte_span(file, file_length),
                                                iree_allocator_null(), host, &modules[1]);
    if (iree_status_is_ok(status))
        status = iree_vm_context_create_with_modules(runtime->instance, IREE_VM_CONTEXT_FLAG_NONE, 2, modules, host,
                                                     &runtime->context);
    iree_vm_module_release(modules[1]);
    iree_vm_module_release(modules[0]);
    return status;
}

void runtime_close(struct runtime *runtime) {
    iree_vm_context_release(runtime->context);
    iree_hal_device_release(runtime->device);
    iree_vm_instance_release(runtime->instance);
    memset(runtime, 0, sizeof(*runtime));
}
