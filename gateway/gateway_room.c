/* gateway_room.c - is there room for more mail: on the disk, and in the queues */
#include "gateway/gateway_internal.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/outbound.h"
#include "mapping/store_queue.h"

enum { MANY = 10000, MANY_OLDEST_MS = 15 * 1000 }; /* longer than the housekeeping rests */

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

/* Costs an index as long as there are entries that have not ended. */
static void count_queues(struct gateway *gateway)
{
    static const enum store_queue_state states[] = { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED, STORE_QUEUE_HELD,
                                                     STORE_QUEUE_PENDING };
    struct gateway_room *room = &gateway->room;
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_OUT; queue++)
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
            if (store_queue_count(store_reader(gateway->parts.store), queue, states[i],
                                  &room->counts[queue][states[i]]) < 0)
                room->counts[queue][states[i]] = -1;
}

static void look_at_disk(struct gateway *gateway)
{
    struct statvfs disk;
    bool is_known = statvfs(gateway->parts.config->state_dir, &disk) == 0;
    gateway->room.disk_free = is_known ? (int64_t)disk.f_bavail * (int64_t)disk.f_frsize : -1;
}

int64_t gateway_room_waiting(const struct gateway_room *room, enum store_queue queue)
{
    const int64_t *counts = room->counts[queue];
    if (counts[STORE_QUEUE_WAITING] < 0 || counts[STORE_QUEUE_ROUTED] < 0 || counts[STORE_QUEUE_HELD] < 0)
        return -1;
    return counts[STORE_QUEUE_WAITING] + counts[STORE_QUEUE_ROUTED] + counts[STORE_QUEUE_HELD];
}

/* Counting many costs milliseconds in which nobody else is served: what the housekeeping has counted will do then. */
static bool is_fresh(const struct gateway_room *room, int64_t age_ms, int64_t oldest_ms)
{
    int64_t in = gateway_room_waiting(room, STORE_QUEUE_IN), out = gateway_room_waiting(room, STORE_QUEUE_OUT);
    bool are_many = in + out >= MANY;
    return room->looked_at != 0 && oldest_ms > 0 && age_ms < (are_many ? MANY_OLDEST_MS : oldest_ms);
}

const struct gateway_room *gateway_look_at_room(struct gateway *gateway, int64_t oldest_ms)
{
    int64_t now = clock_monotonic_ms(gateway->parts.clock);
    if (is_fresh(&gateway->room, now - gateway->room.looked_at, oldest_ms))
        return &gateway->room;
    gateway->room.looked_at = now;
    look_at_disk(gateway);
    count_queues(gateway);
    return &gateway->room;
}

void gateway_check_room(struct gateway *gateway)
{
    const struct gateway_room *room = gateway_look_at_room(gateway, 0);
    int64_t in = gateway_room_waiting(room, STORE_QUEUE_IN), out = gateway_room_waiting(room, STORE_QUEUE_OUT);
    if (room->disk_free < 0)
        set_busy(gateway, "the state directory can't be read");
    else if (room->disk_free < GATEWAY_DISK_RESERVE)
        set_busy(gateway, "less than 256 MiB are free in the state directory");
    else if (in < 0 || out < 0)
        set_busy(gateway, "the database can't be read");
    else if (in >= GATEWAY_QUEUE_LIMIT || out >= GATEWAY_QUEUE_LIMIT)
        set_busy(gateway, "100,000 messages are waiting");
    else
        set_busy(gateway, NULL);
}
