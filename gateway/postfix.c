/* postfix.c - see postfix.h */
#include "gateway/postfix.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/background.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/netstring.h"
#include "gateway/parts.h"
#include "gateway/postfix_policy.h"
#include "gateway/postfix_request.h"
#include "gateway/postfix_server.h"
#include "gateway/postfix_socketmap.h"
#include "mapping/store_recipients.h"

enum {
    LOOK_MS = 500,             /* how long an address that has changed may stay as it was in the file */
    LOOK_AGAIN_MS = 10 * 1000, /* after the file could not be written */
};

/* One writing of the file: the background thread's until it is done. */
struct publication {
    struct postfix *postfix; /* NULL: it was freed meanwhile */
    char *database, *domain, *path;
    struct store_recipients_result result;
    int outcome;
};

struct postfix {
    const struct parts *parts;
    struct postfix_server *socketmap, *policy; /* NULL: not wanted */
    struct timer *look;                        /* NULL: no file is wanted */
    struct publication *publication;           /* NULL: none is under way */
    int64_t published_change;                  /* -1: none since the start */
    struct postfix_statistics statistics;
    char *error;
};

/* The servers. */

static int feed_socketmap(void *parser, const uint8_t *data, size_t len, size_t *used_out)
{
    return netstring_feed(parser, data, len, used_out);
}

static void answer_socketmap(const void *parser, void *ctx, struct strbuf *out)
{
    const struct netstring *request = parser;
    struct postfix *postfix = ctx;
    postfix->statistics.lookups++;
    if (postfix_socketmap_answer(postfix->parts, request->data, request->len, out) == 1)
        postfix->statistics.found++;
}

static const struct postfix_protocol socketmap_protocol = {
    .name = "socketmap", .parser_size = sizeof(struct netstring), .feed = feed_socketmap, .answer = answer_socketmap
};

static int feed_policy(void *parser, const uint8_t *data, size_t len, size_t *used_out)
{
    return postfix_request_feed(parser, data, len, used_out);
}

static void answer_policy(const void *parser, void *ctx, struct strbuf *out)
{
    struct postfix *postfix = ctx;
    enum postfix_policy_result result = postfix_policy_answer(postfix->parts, parser, out);
    postfix->statistics.asked++;
    postfix->statistics.refused += result == POSTFIX_POLICY_REFUSED;
    postfix->statistics.deferred += result == POSTFIX_POLICY_DEFERRED;
}

static const struct postfix_protocol policy_protocol = {
    .name = "policy", .parser_size = sizeof(struct postfix_request), .feed = feed_policy, .answer = answer_policy
};

/* 1 also when none is wanted. */
static int open_server(struct postfix *postfix, const char *address, const struct postfix_protocol *protocol,
                       struct postfix_server **server_out, char **error_out)
{
    struct postfix_server_settings settings = {
        .loop = postfix->parts->loop,
        .address = address,
        .clients = (const char *const *)postfix->parts->config->postfix.clients,
        .protocol = protocol,
        .ctx = postfix,
    };
    if (!address)
        return 1;
    *server_out = postfix_server_new(&settings, error_out);
    if (!*server_out)
        return -1;
    log_info("postfix.open", "service=%s address=%s", protocol->name, postfix_server_address(*server_out));
    return 1;
}

/* The file. */

static void publication_free(struct publication *publication)
{
    free(publication->database);
    free(publication->domain);
    free(publication->path);
    free(publication->result.error);
    free(publication);
}

static void publish(void *arg)
{
    struct publication *publication = arg;
    publication->outcome =
        store_recipients_publish(publication->database, publication->domain, publication->path, &publication->result);
}

static void published(void *arg)
{
    struct publication *publication = arg;
    struct postfix *postfix = publication->postfix;
    const struct store_recipients_result *result = &publication->result;
    if (postfix) {
        postfix->publication = NULL;
        free(postfix->error);
        postfix->error = publication->outcome < 0 ? xstrdup(result->error ? result->error : "unknown") : NULL;
        if (publication->outcome == 1) {
            postfix->published_change = result->change;
            postfix->statistics.published = result->count;
            log_info("postfix.published", "path=%s addresses=%" PRId64 " anew=%d", publication->path, result->count,
                     result->made_anew);
        } else {
            log_error("postfix.not_published", "path=%s error=%s", publication->path, postfix->error);
        }
        timer_start(postfix->look, publication->outcome == 1 ? LOOK_MS : LOOK_AGAIN_MS);
    }
    publication_free(publication);
}

static void publication_discarded(void *arg)
{
    struct publication *publication = arg;
    if (publication->postfix)
        publication->postfix->publication = NULL;
    publication_free(publication);
}

static void begin_publication(struct postfix *postfix)
{
    const struct config *config = postfix->parts->config;
    struct publication *publication = xcalloc(1, sizeof *publication);
    struct strbuf database;
    strbuf_init(&database, 4096);
    strbuf_add_fmt(&database, "%s/postern.db", config->state_dir);
    publication->postfix = postfix;
    publication->database = strbuf_detach(&database);
    publication->domain = xstrdup(config->domain);
    publication->path = xstrdup(config->postfix.recipients_db);
    postfix->publication = publication;
    background_submit(postfix->parts->background, publish, published, publication_discarded, publication);
}

/* Changes come from many places (administrators, members, the silo); the database counts them. */
static void look(void *arg)
{
    struct postfix *postfix = arg;
    int64_t change;
    bool is_known = store_recipients_get_change(store_reader(postfix->parts->store), &change) == 1;
    if (is_known && change != postfix->published_change)
        begin_publication(postfix);
    else
        timer_start(postfix->look, is_known ? LOOK_MS : LOOK_AGAIN_MS);
}

/* All of it. */

struct postfix *postfix_new(const struct parts *parts, char **error_out)
{
    struct postfix *postfix = xcalloc(1, sizeof *postfix);
    postfix->parts = parts;
    postfix->published_change = postfix->statistics.published = -1;
    *error_out = NULL;
    if (open_server(postfix, parts->config->postfix.socketmap, &socketmap_protocol, &postfix->socketmap, error_out) <
            0 ||
        open_server(postfix, parts->config->postfix.policy, &policy_protocol, &postfix->policy, error_out) < 0)
        postfix_free(&postfix);
    return postfix;
}

void postfix_start(struct postfix *postfix)
{
    if (!postfix->parts->config->postfix.recipients_db)
        return;
    postfix->look = timer_new(postfix->parts->loop, look, postfix);
    timer_start(postfix->look, 0);
}

void postfix_free(struct postfix **postfix_in)
{
    struct postfix *postfix = *postfix_in;
    if (!postfix)
        return;
    postfix_server_free(&postfix->socketmap);
    postfix_server_free(&postfix->policy);
    if (postfix->look)
        timer_free(&postfix->look);
    if (postfix->publication)
        postfix->publication->postfix = NULL;
    free(postfix->error);
    free(postfix);
    *postfix_in = NULL;
}

void postfix_get_statistics(const struct postfix *postfix, struct postfix_statistics *out)
{
    *out = postfix->statistics;
    out->error = postfix->error;
    if (postfix->socketmap) {
        out->socketmap = postfix_server_address(postfix->socketmap);
        out->socketmap_connections = postfix_server_connections(postfix->socketmap);
    }
    if (postfix->policy) {
        out->policy = postfix_server_address(postfix->policy);
        out->policy_connections = postfix_server_connections(postfix->policy);
    }
}
