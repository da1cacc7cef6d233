/* admin_mapping_change.c - mapping add, block, change, and the answers to requests */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_mapping.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/mapping_change.h"
#include "gateway/mapping_options.h"
#include "gateway/parts.h"

enum { WRONG_MAX = 1000 };

/* A change that was asked for, from the command to its answer. */
struct order {
    struct admin_request *request;
    struct store_actor actor;
    struct mapping_change change;
    struct mapping_options options;
    bool has_options;
    struct subject subject; /* of a new one */
    bool has_target;        /* there is such a member or group */
    int64_t id;             /* of one that is there */
    enum mapping_act act;
    struct mapping_result result;
};

static struct order *order_new(struct admin_request *request)
{
    struct order *order = xcalloc(1, sizeof *order);
    const char *reason = admin_option(request, "--reason");
    order->request = request;
    order->actor = admin_actor(request);
    order->change = (struct mapping_change){ .actor = &order->actor,
                                             .reason = reason ? reason : "",
                                             .now = admin_now(request),
                                             .local_case = gateway_parts(request->gateway)->config->policy.local_parts,
                                             .hold = gateway_parts(request->gateway)->hold };
    return order;
}

static void order_free(struct order *order)
{
    mapping_options_clear(&order->options);
    mapping_result_clear(&order->result);
    free(order);
}

/* 1; -1 after having answered. */
static int take_options(struct order *order)
{
    struct strbuf wrong;
    int result = 1;
    strbuf_init(&wrong, WRONG_MAX);
    for (const char *const *name = mapping_option_names; result == 1 && *name; name++) {
        char option[32];
        snprintf(option, sizeof option, "--%s", *name);
        const char *value = admin_option(order->request, option);
        if (!value)
            continue;
        order->has_options = true;
        result = mapping_options_set(&order->options, *name, value, order->change.now, &wrong);
    }
    if (result < 0)
        admin_misused(order->request, "%s", wrong.data);
    strbuf_free(&wrong);
    return result;
}

static void refuse(struct order *order)
{
    struct admin_request *request = order->request;
    struct strbuf why;
    if (!order->has_target) {
        admin_refuse(request,
                     "there is no member or group \"%s\"; see posternctl member add, and posternctl group list",
                     request->argv[1]);
        return;
    }
    if (order->result.outcome == MAPPING_UNKNOWN) {
        admin_refuse(request, "there is no mapping %" PRId64, order->id);
        return;
    }
    strbuf_init(&why, WRONG_MAX * 4);
    mapping_result_explain(&order->result, &why);
    admin_refuse(request, "%s%s", why.data,
                 order->result.outcome == MAPPING_EXISTS ? "; change or revoke that one" : "");
    strbuf_free(&why);
}

static void answer(int result, void *arg)
{
    struct order *order = arg;
    struct admin_request *request = order->request;
    const struct store_mapping *mapping = &order->result.mapping;
    if (result == 1) {
        log_info("mapping.changed", "mapping=%" PRId64 " address=%s member=%s was=%s is=%s actor=%s reason=%s",
                 mapping->id, mapping->subject, mapping->target_name, store_mapping_state_name(order->result.was),
                 store_mapping_state_name(mapping->state), request->actor, mapping->reason);
        gateway_poke_silo(request->gateway);
        gateway_poke_queues(request->gateway);
        admin_mapping_add_long(request->output, mapping);
        admin_finish(request);
    } else if (result == 0) {
        refuse(order);
    } else {
        admin_database_error(request);
    }
    order_free(order);
}

static void submit(struct order *order, store_operation *operation)
{
    store_submit(gateway_parts(order->request->gateway)->store, operation, answer, order);
}

/* New ones. */

typedef int making(struct store_db *db, const struct mapping_change *change, const struct mapping_wish *wish,
                   struct mapping_result *result_out);

static int do_make(struct store_db *db, struct order *order, making *make)
{
    struct mapping_wish wish = { .subject = &order->subject, .limits = &order->options.limits };
    int found = admin_mapping_target(db, order->request->argv[1], &wish.target);
    order->has_target = found == 1;
    return found == 1 ? make(db, &order->change, &wish, &order->result) : found;
}

static int do_add(struct store_db *db, void *arg)
{
    return do_make(db, arg, mapping_change_add);
}

static int do_block(struct store_db *db, void *arg)
{
    return do_make(db, arg, mapping_change_block);
}

static void make_one(struct admin_request *request, store_operation *operation)
{
    struct order *order = order_new(request);
    if (take_options(order) == 1 && admin_mapping_subject(request, request->argv[0], &order->subject) == 1)
        submit(order, operation);
    else
        order_free(order);
}

void admin_mapping_add(struct admin_request *request)
{
    make_one(request, do_add);
}

void admin_mapping_block(struct admin_request *request)
{
    make_one(request, do_block);
}

/* Those that are there. */

static int do_act(struct store_db *db, void *arg)
{
    struct order *order = arg;
    return mapping_change_state(db, &order->change, order->id, order->act,
                                order->has_options ? &order->options.limits : NULL, &order->result);
}

static int do_change(struct store_db *db, void *arg)
{
    struct order *order = arg;
    return mapping_change_limits(db, &order->change, order->id, &order->options.limits, &order->result);
}

static void act(struct admin_request *request, store_operation *operation, enum mapping_act act)
{
    struct order *order = order_new(request);
    order->act = act;
    order->has_target = true;
    if (admin_id_argument(request, 0, &order->id) == 1 && take_options(order) == 1)
        submit(order, operation);
    else
        order_free(order);
}

void admin_mapping_change(struct admin_request *request)
{
    if (request->option_count == 0)
        admin_misused(request, "say what is to change, such as --daily 20");
    else
        act(request, do_change, MAPPING_APPROVE);
}

void admin_mapping_approve(struct admin_request *request)
{
    act(request, do_act, MAPPING_APPROVE);
}

void admin_mapping_deny(struct admin_request *request)
{
    act(request, do_act, MAPPING_DENY);
}

void admin_mapping_suspend(struct admin_request *request)
{
    act(request, do_act, MAPPING_SUSPEND);
}

void admin_mapping_resume(struct admin_request *request)
{
    act(request, do_act, MAPPING_RESUME);
}

void admin_mapping_revoke(struct admin_request *request)
{
    act(request, do_act, MAPPING_REVOKE);
}
