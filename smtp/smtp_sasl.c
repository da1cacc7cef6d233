#include "smtp/smtp_sasl.h"

#include <assert.h>
#include <gsasl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/background.h"
#include "base/loop.h"
#include "base/xmalloc.h"

static const struct {
    const char *name;
    bool speaks_first;
    bool is_costly; /* a step may take long */
    bool prepares;
} mechanisms[SMTP_SASL_MECHANISMS] = {
    [SMTP_SASL_SCRAM_SHA_256] = { "SCRAM-SHA-256", true, true, true },
    [SMTP_SASL_PLAIN] = { "PLAIN", true, false, false },
    [SMTP_SASL_LOGIN] = { "LOGIN", false, false, false },
};

/* The library's side of an exchange. While a step is under way on the helper thread it belongs to that step. */
struct exchange {
    Gsasl *library;
    Gsasl_session *session;
    struct smtp_sasl *owner; /* NULL: freed meanwhile */
    char *challenge;
    char *response; /* NULL: failed */
    bool is_complete;
};

struct smtp_sasl {
    struct loop *loop;
    struct background *background;
    enum smtp_sasl_mechanism mechanism;
    struct exchange *exchange; /* NULL: discarded with the background */
    struct timer *timer;       /* calls done from a clean stack */
    bool is_busy;
    smtp_sasl_done *done;
    void *ctx;
};

const char *smtp_sasl_name(enum smtp_sasl_mechanism mechanism)
{
    return mechanisms[mechanism].name;
}

unsigned smtp_sasl_known(const char *list, size_t len)
{
    unsigned known = 0;
    const char *end = list + len;
    while (list < end) {
        const char *space = memchr(list, ' ', (size_t)(end - list));
        size_t word = (size_t)((space == NULL ? end : space) - list);
        for (unsigned i = 0; i < SMTP_SASL_MECHANISMS; i++)
            if (strlen(mechanisms[i].name) == word && strncasecmp(mechanisms[i].name, list, word) == 0)
                known |= 1U << i;
        list += word + 1;
    }
    return known;
}

static bool can_be_prepared(const char *text)
{
    char *prepared = NULL;
    if (gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) != GSASL_OK)
        return false;
    gsasl_free(prepared);
    return true;
}

bool smtp_sasl_suits(enum smtp_sasl_mechanism mechanism, const char *user, const char *password)
{
    return !mechanisms[mechanism].prepares || (can_be_prepared(user) && can_be_prepared(password));
}

/* --- The exchange --- */

static void exchange_free(struct exchange *exchange)
{
    gsasl_finish(exchange->session);
    gsasl_done(exchange->library);
    free(exchange->challenge);
    free(exchange->response);
    free(exchange);
}

/* "r=...,s=...,i=4096" (RFC 5802 section 5): 1 when the number of iterations, if it says one, is one that we are
 * willing to go through. */
static int check_iterations(const char *challenge, size_t len)
{
    enum { DIGITS_MAX = 6 };
    const char *number = memmem(challenge, len, ",i=", 3);
    if (number == NULL)
        return 1;
    number += 3;
    size_t rest = len - (size_t)(number - challenge);
    long iterations = 0;
    size_t digits = 0;
    while (digits < rest && number[digits] >= '0' && number[digits] <= '9' && digits <= DIGITS_MAX)
        iterations = iterations * 10 + (number[digits++] - '0');
    return digits <= DIGITS_MAX && iterations <= SMTP_SASL_ITERATIONS_MAX ? 1 : -1;
}

static int check_challenge(const struct exchange *exchange)
{
    char *decoded = NULL;
    size_t len = 0;
    if (gsasl_base64_from(exchange->challenge, strlen(exchange->challenge), &decoded, &len) != GSASL_OK)
        return -1;
    int result = decoded == NULL ? 1 : check_iterations(decoded, len);
    gsasl_free(decoded);
    return result;
}

/* May run on the helper thread. */
static void work(void *arg)
{
    struct exchange *exchange = arg;
    free(exchange->response);
    exchange->response = NULL;
    if (exchange->is_complete || check_challenge(exchange) != 1)
        return; /* there is nothing more to be asked */
    char *response = NULL;
    int result = gsasl_step64(exchange->session, exchange->challenge, &response);
    exchange->is_complete = result == GSASL_OK;
    if (result == GSASL_OK || result == GSASL_NEEDS_MORE) {
        exchange->response = xstrdup(response == NULL ? "" : response);
        gsasl_free(response);
    }
}

static void tell(void *arg)
{
    struct smtp_sasl *sasl = arg;
    const char *response = sasl->exchange->response;
    if (response != NULL && strlen(response) > SMTP_SASL_LINE_MAX)
        response = NULL;
    sasl->is_busy = false;
    char *kept = response == NULL ? NULL : xstrdup(response); /* the owner may free us */
    sasl->done(kept, sasl->ctx);
    free(kept);
}

static void worked(void *arg)
{
    struct exchange *exchange = arg;
    if (exchange->owner == NULL)
        exchange_free(exchange);
    else
        tell(exchange->owner);
}

static void discard(void *arg)
{
    struct exchange *exchange = arg;
    if (exchange->owner != NULL)
        exchange->owner->exchange = NULL;
    exchange_free(exchange);
}

/* --- Life --- */

struct smtp_sasl *smtp_sasl_new(struct loop *loop, struct background *background, enum smtp_sasl_mechanism mechanism,
                                const char *user, const char *password, smtp_sasl_done *done, void *ctx)
{
    struct exchange *exchange = xcalloc(1, sizeof *exchange);
    if (gsasl_init(&exchange->library) != GSASL_OK ||
        gsasl_client_start(exchange->library, mechanisms[mechanism].name, &exchange->session) != GSASL_OK)
        abort(); /* out of memory, or a library without them */
    if (gsasl_property_set(exchange->session, GSASL_AUTHID, user) != GSASL_OK ||
        gsasl_property_set(exchange->session, GSASL_PASSWORD, password) != GSASL_OK)
        abort(); /* out of memory */
    struct smtp_sasl *sasl = xcalloc(1, sizeof *sasl);
    *sasl = (struct smtp_sasl){ .loop = loop,
                                .background = mechanisms[mechanism].is_costly ? background : NULL,
                                .mechanism = mechanism,
                                .exchange = exchange,
                                .timer = timer_new(loop, tell, sasl),
                                .done = done,
                                .ctx = ctx };
    exchange->owner = sasl;
    return sasl;
}

void smtp_sasl_free(struct smtp_sasl **sasl)
{
    struct smtp_sasl *s = *sasl;
    if (s == NULL)
        return;
    *sasl = NULL;
    bool is_away = s->is_busy && s->background != NULL;
    if (s->exchange != NULL && is_away)
        s->exchange->owner = NULL;
    else if (s->exchange != NULL)
        exchange_free(s->exchange);
    timer_free(&s->timer);
    free(s);
}

bool smtp_sasl_speaks_first(const struct smtp_sasl *sasl)
{
    return mechanisms[sasl->mechanism].speaks_first;
}

void smtp_sasl_step(struct smtp_sasl *sasl, const char *challenge)
{
    assert(!sasl->is_busy);
    if (sasl->exchange == NULL)
        return;
    sasl->is_busy = true;
    free(sasl->exchange->challenge);
    sasl->exchange->challenge = xstrdup(challenge);
    if (sasl->background != NULL) {
        background_submit(sasl->background, work, worked, discard, sasl->exchange);
        return;
    }
    work(sasl->exchange);
    timer_start(sasl->timer, 0);
}

bool smtp_sasl_is_complete(const struct smtp_sasl *sasl)
{
    return sasl->exchange != NULL && !sasl->is_busy && sasl->exchange->is_complete;
}
