/* web_session.c - who a browser is: a cookie with 256 random bits, of which the database has the SHA-256 */
#include <stdlib.h>
#include <string.h>

#include "base/base32.h"
#include "base/clock.h"
#include "base/http_text.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/web_internal.h"
#include "mapping/store_secret.h"

enum { AGENT_MAX = 200, TOUCH_MS = 60 * 1000, TOUCH_SHARE = 10, KNOWN_S = 90 * 24 * 3600 };

void web_session_secret(char secret_out[static WEB_SECRET_SIZE], uint8_t digest_out[static DIGEST_SIZE])
{
    uint8_t random[32];
    _Static_assert(BASE32_SIZE(sizeof random) == WEB_SECRET_SIZE, "a secret is as long as it is written");
    random_bytes(random, sizeof random);
    base32_encode(random, sizeof random, secret_out);
    explicit_bzero(random, sizeof random);
    struct digest *digest = digest_new();
    digest_add(digest, secret_out, WEB_SECRET_SIZE - 1);
    digest_finish(&digest, digest_out);
}

/* With the prefix a browser takes it from a page with TLS only, for this host only, and no other host can plant one. */
static const char *cookie_name(const struct web_visit *visit)
{
    return visit->is_secure ? "__Host-postern" : "postern";
}

static const char *known_name(const struct web_visit *visit)
{
    return visit->is_secure ? "__Host-postern-known" : "postern-known";
}

/* Of what is stored of the password, too: with another password it is another one. 1 or -1. */
static int make_known(const struct web_visit *visit, const char *account, const char *password,
                      char out[static WEB_SECRET_SIZE])
{
    uint8_t secret[STORE_SECRET_SIZE], mac[DIGEST_SIZE];
    struct strbuf about;
    strbuf_init(&about, 1000);
    strbuf_add_fmt(&about, "known browser %s %s", account, password);
    int result =
        store_secret_get(store_reader(gateway_parts(visit->gateway)->store), secret) == 1 && strbuf_ok(&about) ? 1 : -1;
    if (result == 1) {
        digest_hmac(secret, sizeof secret, about.data, about.len, mac);
        base32_encode(mac, sizeof mac, out);
    }
    explicit_bzero(secret, sizeof secret);
    strbuf_free(&about);
    return result;
}

char *web_session_known_cookie(const struct web_visit *visit, const char *account, const char *password)
{
    char known[WEB_SECRET_SIZE];
    struct strbuf text;
    if (make_known(visit, account, password, known) != 1)
        return NULL;
    strbuf_init(&text, 300);
    strbuf_add_fmt(&text, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s; Max-Age=%d", known_name(visit), known,
                   visit->is_secure ? "; Secure" : "", KNOWN_S);
    return strbuf_detach(&text);
}

void web_session_find_known(const struct web_visit *visit, const struct store_web_account *account,
                            char known_out[static WEB_SECRET_SIZE])
{
    const char *value;
    size_t len;
    known_out[0] = '\0';
    if (account->name && http_request_cookie(visit->request, known_name(visit), &value, &len) &&
        len == WEB_SECRET_SIZE - 1 &&
        (make_known(visit, account->name, account->password, known_out) != 1 ||
         !digest_is_equal(value, known_out, len)))
        known_out[0] = '\0';
}

char *web_session_cookie(const struct web_visit *visit, const char *secret)
{
    struct strbuf text;
    strbuf_init(&text, 300);
    strbuf_add_fmt(&text, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", cookie_name(visit), secret ? secret : "",
                   visit->is_secure ? "; Secure" : "", secret ? "" : "; Max-Age=0");
    return strbuf_detach(&text);
}

char *web_session_agent(const struct web_visit *visit)
{
    const char *agent = http_request_field(visit->request, "User-Agent");
    size_t len = agent ? strnlen(agent, AGENT_MAX) : 0;
    while (len > 0 && agent[len] && ((unsigned char)agent[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    return agent && http_text_is_clean(agent, len, false) ? xstrndup(agent, len) : xstrdup("");
}

/* A form proves that it is of a page of ours by what only the session's holder can know. */
static void make_csrf(const char *secret, char out[static WEB_CSRF_SIZE])
{
    static const char what[] = "form";
    uint8_t mac[DIGEST_SIZE];
    _Static_assert(BASE32_SIZE(DIGEST_SIZE) == WEB_CSRF_SIZE, "a token is as long as it is written");
    digest_hmac(secret, WEB_SECRET_SIZE - 1, what, sizeof what - 1, mac);
    base32_encode(mac, sizeof mac, out);
}

struct touch {
    int64_t id, now;
};

static int commit_touch(struct store_db *db, void *arg)
{
    const struct touch *seen = arg;
    return store_web_session_touch(db, seen->id, seen->now) < 0 ? -1 : 1;
}

static void free_done(int result, void *arg)
{
    (void)result;
    free(arg);
}

/* Not by what a page asks for by itself: one that is left open would never end. */
static void touch(const struct web_visit *visit, const struct config *config, int64_t now)
{
    const char *mode = http_request_field(visit->request, "Sec-Fetch-Dest");
    int64_t step = config->admin.session_idle_ms / TOUCH_SHARE;
    if ((mode && strcmp(mode, "empty") == 0) || now - visit->session.seen_at < (step < TOUCH_MS ? step : TOUCH_MS))
        return;
    struct touch *seen = xcalloc(1, sizeof *seen);
    *seen = (struct touch){ .id = visit->session.id, .now = now };
    store_submit_patient(gateway_parts(visit->gateway)->store, commit_touch, free_done, seen);
}

bool web_session_load(struct web_visit *visit)
{
    const struct parts *parts = gateway_parts(visit->gateway);
    const struct config *config = parts->config;
    const char *value;
    size_t len;
    uint8_t digest[DIGEST_SIZE];
    char secret[WEB_SECRET_SIZE];
    if (!http_request_cookie(visit->request, cookie_name(visit), &value, &len) || len != WEB_SECRET_SIZE - 1)
        return true;
    memcpy(secret, value, len);
    secret[len] = '\0';
    struct digest *hashing = digest_new();
    digest_add(hashing, secret, len);
    digest_finish(&hashing, digest);
    int found = store_web_session_find(store_reader(parts->store), digest, &visit->session);
    int64_t now = clock_wall_ms(parts->clock);
    visit->has_session = found == 1 && now - visit->session.seen_at <= config->admin.session_idle_ms &&
                         now - visit->session.created_at <= config->admin.session_longest_ms;
    if (visit->has_session) {
        make_csrf(secret, visit->csrf);
        touch(visit, config, now);
    }
    explicit_bzero(secret, sizeof secret);
    return found >= 0;
}

struct sweep {
    int64_t seen_before, created_before;
};

static int commit_sweep(struct store_db *db, void *arg)
{
    const struct sweep *sweep = arg;
    return store_web_session_sweep(db, sweep->seen_before, sweep->created_before) < 0 ? -1 : 1;
}

void web_session_sweep(struct web *web)
{
    const struct parts *parts = gateway_parts(web->gateway);
    int64_t now = clock_wall_ms(parts->clock);
    struct sweep *sweep = xcalloc(1, sizeof *sweep);
    *sweep = (struct sweep){ .seen_before = now - parts->config->admin.session_idle_ms,
                             .created_before = now - parts->config->admin.session_longest_ms };
    store_submit_patient(parts->store, commit_sweep, free_done, sweep);
}
