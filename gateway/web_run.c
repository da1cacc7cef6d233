/* web_run.c - the verbs that a page says, one after the other */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/web_internal.h"

struct order {
    size_t argc;
    char **argv;
    char *input;
};

struct run {
    struct web_visit *visit;
    char *account;
    struct order *orders;
    struct web_result *results;
    char **errors; /* of the results; owned */
    size_t count, next;
    bool is_waiting, is_looping;
    web_done *done;
    void *ctx;
};

static void copy_order(struct order *to, const struct web_order *from)
{
    while (from->words[to->argc])
        to->argc++;
    to->argv = xcalloc(to->argc + 1, sizeof *to->argv);
    for (size_t i = 0; i < to->argc; i++)
        to->argv[i] = xstrdup(from->words[i]);
    to->input = from->input ? xstrdup(from->input) : NULL;
}

static void run_free(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct order *order = &run->orders[i];
        for (size_t k = 0; k < order->argc; k++)
            free(order->argv[k]);
        free(order->argv);
        free(order->input);
        json_decref(run->results[i].json);
        free(run->errors[i]);
    }
    free(run->orders);
    free(run->results);
    free(run->errors);
    free(run->account);
    free(run);
}

/* The first line of what posternctl would show, without its name: the usage behind it is not for a page. */
static char *plain_error(const char *text)
{
    static const char prefix[] = "posternctl: ";
    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        text += sizeof prefix - 1;
    return xstrndup(text, strcspn(text, "\n"));
}

static void go_on(struct run *run);

static void answered(enum admin_exit exit, const char *out, const char *err, void *ctx)
{
    struct run *run = ctx;
    struct web_result *result = &run->results[run->next];
    char **error = &run->errors[run->next++];
    result->exit = exit;
    if (exit == ADMIN_OK)
        result->json = json_loads(out, 0, NULL);
    if (exit == ADMIN_OK && !result->json) {
        result->exit = ADMIN_REFUSED;
        *error = xstrdup("the answer can't be read");
    } else {
        *error = exit == ADMIN_OK ? xstrdup("") : plain_error(err);
    }
    result->error = *error;
    run->is_waiting = false;
    go_on(run);
}

static void go_on(struct run *run)
{
    if (run->is_looping)
        return; /* it was answered at once */
    run->is_looping = true;
    while (run->next < run->count && !run->is_waiting) {
        const struct order *order = &run->orders[run->next];
        run->is_waiting = true;
        if (run->visit->web) {
            const struct store_actor actor = { .channel = "web", .name = run->account };
            const struct admin_order said = { .actor = &actor,
                                              .json = true,
                                              .argc = order->argc,
                                              .argv = (const char *const *)order->argv,
                                              .input = order->input };
            admin_run(run->visit->gateway, &said, answered, run);
        } else {
            answered(ADMIN_NOT_NOW, "", "the gateway is stopping", run);
        }
    }
    run->is_looping = false;
    if (run->is_waiting)
        return;
    run->done(run->visit, run->results, run->count, run->ctx);
    run_free(run);
}

void web_run(struct web_visit *visit, const struct web_order *orders, size_t count, web_done *done, void *ctx)
{
    struct run *run = xcalloc(1, sizeof *run);
    const char *account = web_account(visit);
    run->visit = visit;
    run->account = xstrdup(account ? account : "nobody");
    run->count = count < WEB_ORDERS_MAX ? count : WEB_ORDERS_MAX;
    run->orders = xcalloc(run->count + 1, sizeof *run->orders);
    run->results = xcalloc(run->count + 1, sizeof *run->results);
    for (size_t i = 0; i < run->count; i++)
        copy_order(&run->orders[i], &orders[i]);
    run->errors = xcalloc(run->count + 1, sizeof *run->errors);
    run->done = done;
    run->ctx = ctx;
    go_on(run);
}
