/* web_strangers.c - see web_strangers.h */
#include "gateway/web_strangers.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/parts.h"
#include "mapping/store_audit.h"

enum { TEXT_MAX = 400 };

struct web_strangers {
    const struct parts *parts;
    struct timer *timer;    /* runs after a row was written */
    unsigned count;         /* not written yet */
    char *account, *client; /* of the last one */
};

struct row {
    char *text, *client;
    int64_t now;
};

static int commit(struct store_db *db, void *arg)
{
    const struct row *row = arg;
    const struct store_actor actor = { .channel = "web", .name = row->client };
    return store_audit_add(db, &(struct store_audit_new){ .actor = &actor,
                                                          .action = "web.sign-in-failed",
                                                          .object = "web page",
                                                          .after = row->text,
                                                          .now = row->now });
}

static void committed(int result, void *arg)
{
    struct row *row = arg;
    (void)result;
    free(row->text);
    free(row->client);
    free(row);
}

static void write_row(struct web_strangers *strangers)
{
    struct row *row = xcalloc(1, sizeof *row);
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    strbuf_add_fmt(&text, "%u failed, the last for %s%s", strangers->count,
                   strangers->account ? "account " : "no account", strangers->account ? strangers->account : "");
    row->text = strbuf_detach(&text);
    row->client = xstrdup(strangers->client);
    row->now = clock_wall_ms(strangers->parts->clock);
    strangers->count = 0;
    store_submit_patient(strangers->parts->store, commit, committed, row);
}

static void on_timer(void *arg)
{
    struct web_strangers *strangers = arg;
    if (strangers->count == 0)
        return;
    write_row(strangers);
    timer_start(strangers->timer, WEB_STRANGERS_EVERY_MS);
}

struct web_strangers *web_strangers_new(const struct parts *parts)
{
    struct web_strangers *strangers = xcalloc(1, sizeof *strangers);
    strangers->parts = parts;
    strangers->timer = timer_new(parts->loop, on_timer, strangers);
    return strangers;
}

void web_strangers_free(struct web_strangers **strangers_in)
{
    struct web_strangers *strangers = *strangers_in;
    if (!strangers)
        return;
    if (strangers->count > 0)
        write_row(strangers);
    timer_free(&strangers->timer);
    free(strangers->account);
    free(strangers->client);
    free(strangers);
    *strangers_in = NULL;
}

void web_strangers_add(struct web_strangers *strangers, const char *account, const char *client)
{
    log_warning("web.sign_in_failed", "account=%s client=%s", account, client);
    free(strangers->account);
    free(strangers->client);
    strangers->account = account ? xstrdup(account) : NULL;
    strangers->client = xstrdup(client);
    strangers->count++;
    if (!timer_is_running(strangers->timer)) {
        write_row(strangers);
        timer_start(strangers->timer, WEB_STRANGERS_EVERY_MS);
    }
}
