/* gateway_room.c - is there room for more mail: on the disk, and in the queues */
#include "gateway/gateway_internal.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/outbound.h"
#include "mapping/store_queue.h"

enum { QUEUE_LIMIT = 100000 };                          /* entries waiting in either queue before new mail gets 452 */
static const int64_t disk_reserve = INT64_C(256) << 20; /* free bytes below which new mail gets 452 */

static void set_busy(struct gateway *gateway, const char *reason)
{
    if (!reason && !gateway->busy_reason)
        return;
    if (reason && !gateway->busy_reason)
        log_error("mail.paused", "reason=%s", reason);
    else if (!reason)
        log_info("mail.resumed", "was=%s", gateway->busy_reason);
    free(gateway->busy_reason);
    gateway->busy_reason = reason ? xstrdup(reason) : NULL;
    for (unsigned i = 0; i < gateway->listener_count; i++)
        smtp_listener_set_busy(gateway->listeners[i], reason != NULL);
    outbound_set_busy(gateway->outbound, reason != NULL);
}

/* How much waits in a queue; -1: the database can't be read. */
static int64_t count_waiting(const struct gateway *gateway, enum store_queue queue)
{
    static const enum store_queue_state states[] = { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED, STORE_QUEUE_HELD };
    int64_t sum = 0, count;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (store_queue_count(store_reader(gateway->parts.store), queue, states[i], &count) < 0)
            return -1;
        sum += count;
    }
    return sum;
}

/* Room for what may come: disk and queues. */
void gateway_check_room(struct gateway *gateway)
{
    struct statvfs disk;
    int64_t in = count_waiting(gateway, STORE_QUEUE_IN), out = count_waiting(gateway, STORE_QUEUE_OUT);
    if (statvfs(gateway->parts.config->state_dir, &disk) < 0)
        set_busy(gateway, "the state directory can't be read");
    else if ((int64_t)disk.f_bavail * (int64_t)disk.f_frsize < disk_reserve)
        set_busy(gateway, "less than 256 MiB are free in the state directory");
    else if (in < 0 || out < 0)
        set_busy(gateway, "the database can't be read");
    else if (in >= QUEUE_LIMIT || out >= QUEUE_LIMIT)
        set_busy(gateway, "100,000 messages are waiting");
    else
        set_busy(gateway, NULL);
}
