/* concierge_internal.h - what the source files of the concierge share; nobody else includes it
 *
 *   concierge.c          who speaks, whether they are answered, the answer as a whole
 *   concierge_mapping.c  orders about mappings
 *   concierge_told.c     what they hear later of what they asked for
 *   concierge_list.c     what somebody may know: list, who is, pending
 */
#pragma once
#include "gateway/concierge.h"
#include "mapping/store_audit.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/subject.h"

struct strbuf;

/* One order, once it is known what it is about. */
struct concierge_task {
    const struct concierge_order *order;
    struct subject subject;     /* of the address */
    struct store_target target; /* of INVITE */
    int64_t until;              /* 0: not said */
};
struct concierge_talk {
    struct store_db *db;
    const struct concierge_speech *speech;
    struct store_member member; /* id 0: an admin who is none */
    bool is_admin;
    struct store_actor actor;
    struct concierge_words words;
    struct concierge_task tasks[CONCIERGE_ORDERS_MAX];
    struct strbuf *answer;
    struct concierge_effect *effect;
};

/* Finds out what an order is about. 1; 0: it can't be done, refused says why in a sentence; -1 database error. */
int concierge_prepare(struct concierge_talk *talk, struct concierge_task *task, struct strbuf *refused)
    __attribute__((warn_unused_result));
/* These do an order, and add to the answer what became of it: a sentence, or a list. 1 or -1. */
typedef int concierge_act(struct concierge_talk *talk, const struct concierge_task *task);
concierge_act concierge_invite, concierge_revoke, concierge_decide, concierge_list, concierge_who, concierge_pending;

/* A mapping in a line, for people: "17: bob@example.com for Alice Member, ...". for_whom: says the target as well. */
void concierge_describe(const struct store_mapping *mapping, bool for_whom, struct strbuf *out);
