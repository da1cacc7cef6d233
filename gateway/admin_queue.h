/* admin_queue.h - what the commands about the queues share: how an entry is named and shown */
#pragma once
#include "gateway/admin_command.h"
#include "mapping/store_queue.h"

struct store_queue_summary;

/* The first argument as an entry. -1 after having answered. */
int admin_queue_entry_argument(struct admin_request *request, enum store_queue *which_out, int64_t *id_out)
    __attribute__((warn_unused_result));
/* Its fields into the current object of the output; more: those too that a list has no room for. */
void admin_queue_add_summary(struct admin_request *request, const struct store_queue_summary *summary, bool more);
/* The entry, its recipients, what is about it, and its trace; with_story: that in sentences, too. 0: there is no such entry; -1
 * database error. */
int admin_queue_add_entry(struct admin_request *request, enum store_queue which, int64_t id, bool with_story)
    __attribute__((warn_unused_result));
