/* The part of IREE's runtime that waits for files and sockets, as something that never
 * waits. A model runs in the thread that calls it and reads no files, so the runtime
 * needs nothing of its proactors but an object to name, and neither io_uring nor a
 * thread is started in the process that a model is loaded into. */

#include <string.h>

#include "iree/async/notification.h"
#include "iree/async/proactor.h"
#include "iree/async/util/proactor_pool.h"

struct iree_async_proactor_pool_t {
    iree_async_proactor_t proactor;
};

static iree_status_t create_notification(iree_async_proactor_t *proactor,
                                         iree_async_notification_flags_t flags,
                                         iree_async_notification_t **out) {
    iree_async_notification_t *notification = NULL;
    IREE_RETURN_IF_ERROR(iree_allocator_malloc(proactor->allocator, sizeof(*notification), (void **)&notification));
    memset(notification, 0, sizeof(*notification));
    iree_atomic_ref_count_init(&notification->ref_count);
    notification->proactor = proactor;
    notification->epoch_ptr = &notification->epoch;
    notification->flags = flags;
    *out = notification;
    return iree_ok_status();
}

static void destroy_notification(iree_async_proactor_t *proactor, iree_async_notification_t *notification) {
    iree_allocator_free(proactor->allocator, notification);
}

static void signal_notification(iree_async_proactor_t *proactor, iree_async_notification_t *notification,
                                int32_t wake_count) {
    (void)proactor, (void)notification, (void)wake_count;
}

/* What is not there now will not come: nobody else runs. */
static bool wait_notification(iree_async_proactor_t *proactor, iree_async_notification_t *notification,
                              uint32_t token, iree_timeout_t timeout) {
    (void)proactor, (void)timeout;
    return iree_async_notification_query_epoch(notification) != token;
}

static const iree_async_proactor_vtable_t quiet = {
    .create_notification = create_notification,
    .destroy_notification = destroy_notification,
    .notification_signal = signal_notification,
    .notification_wait = wait_notification,
};

/* One for the process, which lives as long as it does. */
static struct iree_async_proactor_pool_t pool;

iree_async_proactor_pool_t *neural_proactors(void) {
    pool.proactor.vtable = &quiet;
    pool.proactor.allocator = iree_allocator_system();
    return &pool;
}

void iree_async_proactor_pool_retain(iree_async_proactor_pool_t *retained) { (void)retained; }

void iree_async_proactor_pool_release(iree_async_proactor_pool_t *released) { (void)released; }

iree_status_t iree_async_proactor_pool_get(iree_async_proactor_pool_t *from, iree_host_size_t index,
                                           iree_async_proactor_t **out) {
    (void)index;
    *out = &from->proactor;
    return iree_ok_status();
}
