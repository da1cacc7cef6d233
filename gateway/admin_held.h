/* admin_held.h - what the verbs about held mail share */
#pragma once
#include "gateway/admin_command.h"

struct store_held;

/* The first argument as an entry that came in. -1 after having answered. */
int admin_held_entry_argument(struct admin_request *request, int64_t *id_out) __attribute__((warn_unused_result));
/* What can be read of it without looking into it: who, to whom, how much; and the subject, with the key. */
void admin_held_add(struct admin_request *request, const struct store_held *held);
void admin_held_refuse(struct admin_request *request); /* it is not held */
