/* web_api.c - the verbs for programs: /api/v1/VERB/SUB, JSON in and out (docs/API.md)
 *
 * Who asks is said by a token in each request, never by a cookie: no page of anybody else's can ask in a browser's name.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/api_token.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/web_internal.h"

enum { WORDS_MAX = 64, NAME_WORDS_MAX = 3, TOUCH_MS = 60 * 60 * 1000, DEPTH = 2 /* segments before the verb */ };

/* What is said, of words that are borrowed and ones that are owned. */
struct call {
    struct web_visit *visit;
    const char *words[WORDS_MAX];
    size_t count, name_count;
    char *owned[WORDS_MAX]; /* of options: "--name" */
    size_t owned_count;
    const char *input;
    json_t *body;
    struct store_web_token token;
};

static void call_free(struct call *call)
{
    for (size_t i = 0; i < call->owned_count; i++)
        free(call->owned[i]);
    json_decref(call->body);
    store_web_token_free(&call->token);
    free(call);
}

static void answer_json(struct call *call, int status, const char *text, size_t len, const struct http_field *fields)
{
    web_answer(call->visit, status, "application/json", text, len, fields);
    call_free(call);
}

static void refuse(struct call *call, int status, const char *error)
{
    static const struct http_field bearer[] = { { "WWW-Authenticate", "Bearer" }, { NULL, NULL } };
    static const struct http_field post[] = { { "Allow", "POST" }, { NULL, NULL } };
    json_t *document = json_pack("{s:s}", "error", error);
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    const char *shown = text ? text : "{\"error\":\"the reason can't be written\"}";
    answer_json(call, status, shown, strlen(shown), status == 401 ? bearer : status == 405 ? post : NULL);
    free(text);
    json_decref(document);
}

/* ---- who ---- */

struct touch {
    int64_t id, now;
};

static int commit_touch(struct store_db *db, void *arg)
{
    const struct touch *touch = arg;
    return store_web_token_touch(db, touch->id, touch->now) < 0 ? -1 : 1;
}

static void touched(int result, void *arg)
{
    (void)result;
    free(arg);
}

static void note_use(const struct call *call)
{
    int64_t now = web_now(call->visit);
    if (call->token.used_at && now - call->token.used_at < TOUCH_MS)
        return;
    struct touch *touch = xcalloc(1, sizeof *touch);
    *touch = (struct touch){ .id = call->token.id, .now = now };
    store_submit_patient(gateway_parts(call->visit->gateway)->store, commit_touch, touched, touch);
}

/* 200, or the status to answer with. */
static int find_token(struct call *call)
{
    static const char scheme[] = "Bearer ";
    const char *field = http_request_field(call->visit->request, "Authorization");
    uint8_t digest[DIGEST_SIZE];
    if (!field || strncasecmp(field, scheme, sizeof scheme - 1) != 0)
        return 401;
    field += sizeof scheme - 1;
    api_token_digest(field + strspn(field, " "), digest);
    int found = store_web_token_find(store_reader(gateway_parts(call->visit->gateway)->store), digest, &call->token);
    if (found < 0)
        return 503;
    if (found == 0 || (call->token.expires_at && call->token.expires_at <= web_now(call->visit)))
        return 401;
    note_use(call);
    return 200;
}

/* ---- what ---- */

static const char *add_word(struct call *call, const char *word)
{
    if (call->count == WORDS_MAX)
        return "too many words";
    call->words[call->count++] = word;
    return NULL;
}

static const char *add_option(struct call *call, const char *name, const char *value)
{
    struct strbuf option;
    if (call->count + 2 > WORDS_MAX)
        return "too many words";
    strbuf_init(&option, 100);
    strbuf_add_fmt(&option, "--%s", name);
    if (!strbuf_ok(&option)) {
        strbuf_free(&option);
        return "unknown option";
    }
    call->owned[call->owned_count] = strbuf_detach(&option);
    call->words[call->count++] = call->owned[call->owned_count++];
    call->words[call->count++] = value;
    return NULL;
}

/* Options first, then "--", so that no argument is taken for one. */
static const char *take_query(struct call *call)
{
    const char *name, *value, *wrong = NULL;
    for (size_t i = 0; !wrong && web_query_at(call->visit, i, &name, &value); i++)
        if (strcmp(name, "arg") != 0)
            wrong = add_option(call, name, value);
    wrong = wrong ? wrong : add_word(call, "--");
    for (size_t i = 0; !wrong && web_query_at(call->visit, i, &name, &value); i++)
        if (strcmp(name, "arg") == 0)
            wrong = add_word(call, value);
    return wrong;
}

static const char *take_body(struct call *call)
{
    size_t len, index;
    const char *data = http_request_body(call->visit->request, &len), *key, *wrong = NULL;
    json_t *value;
    call->body = len ? json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL) : json_object();
    if (!json_is_object(call->body))
        return "the body is no JSON object";
    json_t *args = json_object_get(call->body, "args"), *options = json_object_get(call->body, "options");
    json_t *input = json_object_get(call->body, "input");
    if ((args && !json_is_array(args)) || (options && !json_is_object(options)) || (input && !json_is_string(input)) ||
        json_object_size(call->body) != (size_t)(args != NULL) + (options != NULL) + (input != NULL))
        return "expected \"args\" (a list), \"options\" (an object) and \"input\" (a text), and nothing else";
    call->input = json_string_value(input);
    json_object_foreach(options, key, value)
    {
        if (!wrong)
            wrong = json_is_string(value) ? add_option(call, key, json_string_value(value))
                                          : "the values of \"options\" are texts";
    }
    wrong = wrong ? wrong : add_word(call, "--");
    json_array_foreach(args, index, value)
    {
        if (!wrong)
            wrong = json_is_string(value) ? add_word(call, json_string_value(value)) : "\"args\" are texts";
    }
    return wrong;
}

/* The verb, as the path has it. */
static const char *take_name(struct call *call)
{
    const char *segment;
    for (size_t i = DEPTH; (segment = http_request_segment(call->visit->request, i)) && i < DEPTH + NAME_WORDS_MAX; i++)
        call->words[call->count++] = segment;
    call->name_count = admin_name_words(call->count, call->words);
    if (segment || call->name_count == 0 || call->name_count != call->count)
        return "there is no such command";
    return NULL;
}

static void answered(enum admin_exit exit, const char *out, const char *err, void *ctx)
{
    static const char prefix[] = "posternctl: ";
    struct call *call = ctx;
    if (exit == ADMIN_OK) {
        answer_json(call, 200, out, strlen(out), NULL);
        return;
    }
    if (strncmp(err, prefix, sizeof prefix - 1) == 0)
        err += sizeof prefix - 1;
    char *line = xstrndup(err, strcspn(err, "\n"));
    refuse(call, exit == ADMIN_USAGE ? 400 : exit == ADMIN_NOT_NOW ? 503 : 409, line);
    free(line);
}

static void run(struct call *call)
{
    struct strbuf name; /* nobody takes it for an account of that name */
    strbuf_init(&name, STORE_WEB_NAME_MAX + 20);
    strbuf_add_fmt(&name, "%s (token)", call->token.name);
    const struct store_actor actor = { .channel = "web", .name = name.data };
    const struct admin_order order = {
        .actor = &actor, .json = true, .argc = call->count, .argv = call->words, .input = call->input
    };
    log_debug("web.api", "token=%s verb=%s sub=%s", call->token.name, call->words[0],
              call->name_count > 1 ? call->words[1] : NULL);
    admin_run(call->visit->gateway, &order, answered, call);
    strbuf_free(&name);
}

void web_api(struct web_visit *visit)
{
    const char *version = http_request_segment(visit->request, 1), *wrong;
    struct call *call = xcalloc(1, sizeof *call);
    call->visit = visit;
    int status = find_token(call);
    if (status == 401)
        refuse(call, 401,
               "a token is needed: \"Authorization: Bearer ...\" with one that is known and has not expired");
    else if (status != 200)
        refuse(call, status, "the database could not be read");
    else if (!version || strcmp(version, "v1") != 0)
        refuse(call, 404, "there is only /api/v1/");
    else if ((wrong = take_name(call)))
        refuse(call, 404, wrong);
    else if (!web_is_post(visit) && !admin_only_reads(call->count, call->words))
        refuse(call, 405, "this command changes something: it wants a POST");
    else if (call->token.only_reads && !admin_only_reads(call->count, call->words))
        refuse(call, 403, "this token may only read");
    else if ((wrong = web_is_post(visit) ? take_body(call) : take_query(call)))
        refuse(call, 400, wrong);
    else
        run(call);
}
