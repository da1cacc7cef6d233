/* queue.h - the schedule of one queue: what is due is started, a bounded number at a time
 *
 * The queue itself is the database; this keeps no copy of it, only the ids that are under way and a timer for the next
 * that falls due. So a restart needs no recovery: what was under way is simply due.
 */
#pragma once
#include "mapping/store_queue.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parts;
struct queue;

struct queue_settings {
    const struct parts *parts;
    enum store_queue which;
    unsigned concurrency;                 /* entries under way at most */
    void (*start)(int64_t id, void *ctx); /* begins work on an entry; queue_finished() must follow, also right away */
    void *ctx;
};

struct queue *queue_new(const struct queue_settings *settings); /* closed */
void queue_free(struct queue **queue);
void queue_open(struct queue *queue, bool open); /* closed: nothing is started; what is under way goes on */
/* Out of turn, before it is due. false: it is under way, the queue is closed, or as many as may be are under way. */
bool queue_start(struct queue *queue, int64_t id);
void queue_poke(
    struct queue *queue); /* something may have become due: look at the end of this turn, if it can be read */
/* The entry is no longer under way; its row says what is next. Its place is filled at the end of this turn; with 16 and more
 * under way at a time, where a look is dear, a few milliseconds later, together with others'. */
void queue_finished(struct queue *queue, int64_t id);
unsigned queue_under_way(const struct queue *queue);
bool queue_has_under_way(const struct queue *queue, int64_t id);

/* "in17" / "out5" and back. -1: not such an id. */
void queue_id_format(enum store_queue which, int64_t id, char out[static 24]);
int queue_id_parse(const char *text, enum store_queue *which_out, int64_t *id_out) __attribute__((warn_unused_result));
