#include "gateway/acts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config_trust.h"
#include "gateway/parts.h"

enum { TEXT_MAX = 256 * 1024 };

struct act {
    char *channel, *name, *action, *object, *before, *after;
    int64_t now;
};

static int add(struct store_db *db, void *arg)
{
    const struct act *act = arg;
    const struct store_actor actor = { .channel = act->channel, .name = act->name };
    return store_audit_add(db, &(struct store_audit_new){ .actor = &actor,
                                                          .action = act->action,
                                                          .object = act->object,
                                                          .before = act->before,
                                                          .after = act->after,
                                                          .now = act->now });
}

static void added(int result, void *arg)
{
    struct act *act = arg;
    if (result != 1)
        log_error("audit.missing", "action=%s object=%s actor=%s", act->action, act->object, act->name);
    free(act->channel);
    free(act->name);
    free(act->action);
    free(act->object);
    free(act->before);
    free(act->after);
    free(act);
}

void acts_add(const struct parts *parts, const struct store_actor *actor, const char *action, const char *object,
              const char *before, const char *after)
{
    struct act *act = xcalloc(1, sizeof *act);
    *act = (struct act){ .channel = xstrdup(actor->channel),
                         .name = xstrdup(actor->name),
                         .action = xstrdup(action),
                         .object = xstrdup(object),
                         .before = xstrdup(before ? before : ""),
                         .after = xstrdup(after ? after : ""),
                         .now = clock_wall_ms(parts->clock) };
    store_submit(parts->store, add, added, act);
}

void acts_add_start(const struct parts *parts)
{
    static const struct store_actor by_itself = { .channel = "gateway", .name = "posternd" };
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    strbuf_add_str(&text, "version " POSTERN_VERSION);
    config_describe_trust(parts->config, &text);
    acts_add(parts, &by_itself, "gateway.start", "gateway", NULL, text.data);
    strbuf_free(&text);
}

void acts_add_reload(const struct parts *parts, const struct store_actor *actor, const struct config *was)
{
    struct strbuf before, after;
    strbuf_init(&before, TEXT_MAX);
    strbuf_init(&after, TEXT_MAX);
    config_find_trust_changes(was, parts->config, &before, &after);
    acts_add(parts, actor, "gateway.reload", "gateway", before.data, after.data);
    strbuf_free(&before);
    strbuf_free(&after);
}

struct head {
    int64_t id;
    char hash[DIGEST_HEX_SIZE];
};

static int read_head(struct store_db *db, void *arg)
{
    struct head *head = arg;
    return store_audit_head(db, &head->id, head->hash) < 0 ? -1 : 1;
}

static void head_read(int result, void *arg)
{
    struct head *head = arg;
    if (result == 1 && head->id)
        log_info("audit.head", "head=%" PRId64 ":%s", head->id, head->hash);
    free(head);
}

void acts_log_head(const struct parts *parts)
{
    store_submit(parts->store, read_head, head_read, xcalloc(1, sizeof(struct head)));
}
