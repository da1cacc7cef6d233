/* web.c - see web.h: addresses, what is asked of a visit before its page is called, and answers */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_text.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/web_html.h"
#include "gateway/web_internal.h"
#include "gateway/web_limits.h"
#include "gateway/web_page.h"
#include "gateway/web_strangers.h"

enum {
    HEADER_MAX = 16 * 1024,
    CONNECTIONS_MAX = 64,
    ANSWERS_MAX = 64 * 1024 * 1024,
    TIMEOUT_MS = 30 * 1000,
    SWEEP_MS = 10 * 60 * 1000,
    FLASH_MS = 60 * 1000,
    FOREIGN_MS = 10 * 1000,
    LOCATION_MAX = 8 * 1024,
    UNPRIVILEGED_PORTS = 1024,
};

/* Without inline script and style, so that what gets into a page in spite of everything does nothing there. The referrer stays within
 * our pages: with no-referrer browsers would send "Origin: null" with our own forms. */
static const struct http_field fields[] = {
    { "Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src "
                                 "'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" },
    { "Referrer-Policy", "same-origin" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "X-Frame-Options", "DENY" },
    { NULL, NULL },
};

const struct http_field *web_fields(void)
{
    return fields;
}

/* A star is one segment. */
static const struct route {
    const char *address;
    web_page *get, *post; /* NULL: 405 */
    bool is_public;       /* also for somebody who has not signed in */
} routes[] = {
    { "/", web_overview, web_overview_post },
    { "/requests", web_requests, web_requests_post },
    { "/mappings", web_mappings, web_mappings_post },
    { "/mappings/*", web_mapping, web_mapping_post },
    { "/held", web_held_all, web_held_all_post },
    { "/held/*", web_held, web_held_post },
    { "/held/*/content", NULL, web_held_content_post },
    { "/members", web_members, web_members_post },
    { "/members/*", web_member, web_member_post },
    { "/groups/*", web_group, web_group_post },
    { "/queue", web_queue, web_queue_post },
    { "/message", web_message, NULL },
    { "/audit", web_audit, web_audit_post },
    { "/account", web_own_account, web_own_account_post },
    { "/login", web_login, web_login_post, true },
    { "/logout", NULL, web_logout_post },
};

/* ---- the visit ---- */

static void visit_free(struct web_visit *visit)
{
    struct web_visit **link = visit->web ? &visit->web->visits : NULL;
    while (link && *link != visit)
        link = &(*link)->next;
    if (link)
        *link = visit->next;
    store_web_session_free(&visit->session);
    free(visit->client);
    free(visit->flash);
    free(visit);
}

bool web_is_post(const struct web_visit *visit)
{
    return http_request_method(visit->request) == HTTP_POST;
}

const char *web_path(const struct web_visit *visit)
{
    return http_request_path(visit->request);
}

const char *web_part(const struct web_visit *visit, size_t index)
{
    return index < WEB_PARTS_MAX ? visit->parts[index] : NULL;
}

const char *web_query(const struct web_visit *visit, const char *name)
{
    return http_request_query(visit->request, name);
}

bool web_query_at(const struct web_visit *visit, size_t index, const char **name_out, const char **value_out)
{
    return http_request_query_at(visit->request, index, name_out, value_out);
}

const char *web_form(const struct web_visit *visit, const char *name)
{
    return http_request_form(visit->request, name);
}

bool web_form_at(const struct web_visit *visit, size_t index, const char **name_out, const char **value_out)
{
    return http_request_form_at(visit->request, index, name_out, value_out);
}

size_t web_form_all(const struct web_visit *visit, const char *name, const char **values_out, size_t max)
{
    const char *found, *value;
    size_t count = 0;
    for (size_t i = 0; count < max && web_form_at(visit, i, &found, &value); i++)
        if (strcmp(found, name) == 0)
            values_out[count++] = value;
    return count;
}

const char *web_account(const struct web_visit *visit)
{
    return visit->has_session ? visit->session.account : NULL;
}

const char *web_csrf(const struct web_visit *visit)
{
    return visit->has_session ? visit->csrf : NULL;
}

const char *web_flash(const struct web_visit *visit, bool *good_out)
{
    *good_out = visit->flash_is_good;
    return visit->flash;
}

int64_t web_now(const struct web_visit *visit)
{
    return clock_wall_ms(gateway_parts(visit->gateway)->clock);
}

int64_t web_monotonic(const struct web_visit *visit)
{
    return clock_monotonic_ms(gateway_parts(visit->gateway)->clock);
}

struct gateway *web_gateway(const struct web_visit *visit)
{
    return visit->gateway;
}

/* "192.0.2.7:1234" without its port. */
static char *peer_host(const char *peer)
{
    const char *colon = strrchr(peer, ':');
    if (!colon)
        return xstrdup("local");
    bool is_bracketed = peer[0] == '[';
    return xstrndup(peer + is_bracketed, (size_t)(colon - peer) - 2 * (size_t)is_bracketed);
}

/* Whom the server in front has seen: it adds the last one to what a client may have written. Who asks us directly does not come by
 * the public address, or is on this machine anyway. */
static char *client_of(const struct web_visit *visit)
{
    const char *chain = visit->by_origin ? http_request_last_field(visit->request, "X-Forwarded-For") : NULL;
    const char *last = chain ? strrchr(chain, ',') : NULL;
    struct in6_addr address;
    last = last ? last + 1 : chain;
    last = last ? last + strspn(last, " \t") : "";
    if (inet_pton(AF_INET, last, &address) == 1)
        return xstrdup(last);
    if (inet_pton(AF_INET6, last, &address) == 1) {
        char text[INET6_ADDRSTRLEN];
        /* Of a server in front that listens for both kinds on one socket. Else all of IPv4 were one network. */
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&address);
        inet_ntop(is_mapped ? AF_INET : AF_INET6, address.s6_addr + (is_mapped ? 12 : 0), text, sizeof text);
        return xstrdup(text);
    }
    return peer_host(http_request_peer(visit->request));
}

void web_network(const struct web_visit *visit, char out[static WEB_NETWORK_SIZE])
{
    struct in_addr four;
    struct in6_addr six;
    memcpy(out, "local", sizeof "local");
    if (inet_pton(AF_INET, visit->client, &four) == 1) {
        four.s_addr &= htonl(0xffffff00);
        inet_ntop(AF_INET, &four, out, WEB_NETWORK_SIZE);
    } else if (inet_pton(AF_INET6, visit->client, &six) == 1) {
        memset(six.s6_addr + 8, 0, 8);
        inet_ntop(AF_INET6, &six, out, WEB_NETWORK_SIZE);
    }
}

/* ---- answers ---- */

void web_answer(struct web_visit *visit, int status, const char *type, const char *body, size_t len,
                const struct http_field *more)
{
    http_answer(visit->request, status, type, body, len, more);
    visit_free(visit);
}

void web_answer_html(struct web_visit *visit, int status, const struct strbuf *html)
{
    web_answer(visit, status, "text/html; charset=utf-8", html->data, html->len, NULL);
}

static const char *error_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = { { 401, "Please sign in" }, { 403, "Not allowed" },
                   { 404, "Not found" },      { 405, "Not possible here" },
                   { 409, "Not done" },       { 429, "Too many attempts" },
                   { 503, "Not now" } };
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Something is wrong";
}

void web_answer_error(struct web_visit *visit, int status, const char *text)
{
    struct web_html *html = web_html_new();
    struct web_page_frame frame = { .title = error_title(status),
                                    .gateway = gateway_parts(visit->gateway)->config->hostname,
                                    .path = web_path(visit),
                                    .account = web_account(visit),
                                    .csrf = web_csrf(visit),
                                    .now = web_now(visit) };
    web_page_open(html, &frame);
    web_page_note(html, WEB_BAD, text);
    web_page_close(html, &frame);
    if (web_html_ok(html))
        web_answer_html(visit, status, web_html_written(html));
    else
        web_answer(visit, status, "text/plain; charset=utf-8", text, strlen(text), NULL);
    web_html_free(&html);
}

void web_url_add(struct strbuf *out, const char *text)
{
    http_text_encode(out, text);
}

static void flash_clear(struct web_flash *flash)
{
    free(flash->text);
    *flash = (struct web_flash){ 0 };
}

/* The oldest goes when there is no room. */
static const char *keep_flash(struct web_visit *visit, bool good, const char *text)
{
    struct web_flash *place = &visit->web->flashes[0];
    uint8_t unused[DIGEST_SIZE];
    for (size_t i = 0; i < WEB_FLASHES_MAX; i++)
        if (visit->web->flashes[i].until < place->until)
            place = &visit->web->flashes[i];
    flash_clear(place);
    web_session_secret(place->id, unused);
    place->session = visit->has_session ? visit->session.id : 0;
    place->until = web_monotonic(visit) + FLASH_MS;
    place->good = good;
    place->text = xstrndup(text, strnlen(text, WEB_FLASH_MAX));
    return place->id;
}

/* Only in the same session, so that nobody can make somebody else's page say something; the id can't be guessed, either. */
static void take_flash(struct web_visit *visit)
{
    const char *id = web_query(visit, "flash");
    for (size_t i = 0; id && id[0] && i < WEB_FLASHES_MAX; i++) {
        struct web_flash *flash = &visit->web->flashes[i];
        if (strcmp(flash->id, id) != 0 || (flash->session && flash->session != visit->session.id) ||
            flash->until < web_monotonic(visit))
            continue;
        visit->flash = flash->text;
        visit->flash_is_good = flash->good;
        flash->text = NULL;
        flash_clear(flash);
        return;
    }
}

void web_redirect_with(struct web_visit *visit, const char *path, bool good, const char *flash,
                       const struct web_cookies *cookies)
{
    struct strbuf location;
    strbuf_init(&location, LOCATION_MAX);
    strbuf_add_str(&location, path[0] == '/' && path[1] != '/' ? path : "/");
    if (flash && visit->web)
        strbuf_add_fmt(&location, "%sflash=%s", strchr(path, '?') ? "&" : "?", keep_flash(visit, good, flash));
    struct http_field more[4] = { { "Location", strbuf_ok(&location) ? location.data : "/" } };
    size_t count = 1;
    if (cookies && cookies->session)
        more[count++] = (struct http_field){ "Set-Cookie", cookies->session };
    if (cookies && cookies->known)
        more[count] = (struct http_field){ "Set-Cookie", cookies->known };
    web_answer(visit, 303, NULL, "", 0, more);
    strbuf_free(&location);
}

void web_redirect(struct web_visit *visit, const char *path, bool good, const char *flash)
{
    web_redirect_with(visit, path, good, flash, NULL);
}

static void answer_static(struct web_visit *visit, const char *name)
{
    const struct web_static *file = name ? web_static_find(name) : NULL;
    if (!file) {
        web_answer_error(visit, 404, "There is no such file.");
        return;
    }
    const char *asked = web_query(visit, "v"), *known = http_request_field(visit->request, "If-None-Match");
    bool for_ever = asked && strcmp(asked, file->digest) == 0;
    struct strbuf tag;
    strbuf_init(&tag, 100);
    strbuf_add_fmt(&tag, "\"%s\"", file->digest);
    const struct http_field more[] = {
        { "Cache-Control", for_ever ? "public, max-age=31536000, immutable" : "no-cache" },
        { "ETag", tag.data },
        { NULL, NULL },
    };
    if (known && strcmp(known, tag.data) == 0)
        web_answer(visit, 304, NULL, "", 0, more);
    else
        web_answer(visit, 200, file->type, (const char *)file->data, file->len, more);
    strbuf_free(&tag);
}

/* ---- what is asked before a page is called ---- */

static bool matches(struct web_visit *visit, const char *address)
{
    size_t segment = 0, part = 0;
    memset(visit->parts, 0, sizeof visit->parts);
    for (const char *at = address + 1;; at++) {
        size_t len = strcspn(at, "/");
        const char *given = http_request_segment(visit->request, segment++);
        if (!given)
            return false;
        if (len == 1 && at[0] == '*' && given[0] != '\0')
            visit->parts[part++] = given;
        else if (strlen(given) != len || memcmp(given, at, len) != 0)
            return false;
        at += len;
        if (*at == '\0')
            return http_request_segment(visit->request, segment) == NULL;
    }
}

static const struct route *find_route(struct web_visit *visit)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (matches(visit, routes[i].address))
            return &routes[i];
    return NULL;
}

/* Was the form on a page of ours, as the browser says it? Old ones say nothing: then the form's token decides. */
static bool is_from_here(const struct web_visit *visit)
{
    const char *site = http_request_field(visit->request, "Sec-Fetch-Site");
    const char *origin = http_request_field(visit->request, "Origin");
    struct strbuf ours;
    strbuf_init(&ours, 1000);
    if (visit->by_origin)
        strbuf_add_str(&ours, gateway_parts(visit->gateway)->config->admin.origin);
    else
        strbuf_add_fmt(&ours, "http://%s", http_request_host(visit->request));
    bool good = (!site || strcmp(site, "same-origin") == 0) && (!origin || strcmp(origin, ours.data) == 0);
    strbuf_free(&ours);
    return good;
}

static bool has_token(const struct web_visit *visit)
{
    const char *token = web_form(visit, "csrf");
    return token && strlen(token) == WEB_CSRF_SIZE - 1 && digest_is_equal(token, visit->csrf, WEB_CSRF_SIZE - 1);
}

/* To the page that was wanted, once signed in. */
static void send_to_login(struct web_visit *visit)
{
    struct strbuf path;
    strbuf_init(&path, LOCATION_MAX);
    strbuf_add_str(&path, "/login");
    if (strcmp(web_path(visit), "/") != 0 && strlen(web_path(visit)) < 1000) {
        strbuf_add_str(&path, "?to=");
        web_url_add(&path, web_path(visit));
    }
    web_redirect(visit, path.data, true, NULL);
    strbuf_free(&path);
}

/* Those who have not signed in must not fill the log. */
static void note_foreign_form(const struct web_visit *visit)
{
    struct web *web = visit->web;
    int64_t now = web_monotonic(visit);
    if (!visit->has_session && web->stranger_noted && now - web->stranger_noted_at < FOREIGN_MS)
        return;
    if (!visit->has_session) {
        web->stranger_noted = true;
        web->stranger_noted_at = now;
    }
    log_warning("web.foreign_form", "path=%s account=%s client=%s", web_path(visit), web_account(visit), visit->client);
}

static void call_page(struct web_visit *visit, const struct route *route)
{
    bool is_post = web_is_post(visit);
    web_page *page = is_post ? route->post : route->get;
    if (!page) {
        static const struct http_field get[] = { { "Allow", "GET, HEAD" }, { NULL, NULL } };
        static const struct http_field post[] = { { "Allow", "POST" }, { NULL, NULL } };
        static const char text[] = "Not possible here.\n";
        web_answer(visit, 405, "text/plain; charset=utf-8", text, sizeof text - 1, is_post ? get : post);
    } else if (!visit->has_session && !route->is_public && is_post) {
        web_answer_error(visit, 401, "Your session is over: nothing was changed. Sign in and try again.");
    } else if (!visit->has_session && !route->is_public) {
        send_to_login(visit);
    } else if (is_post && !is_from_here(visit)) {
        note_foreign_form(visit);
        web_answer_error(visit, 403, "This form was not on a page of this gateway. Nothing was changed.");
    } else if (is_post && !route->is_public && !has_token(visit)) {
        log_warning("web.wrong_token", "path=%s account=%s client=%s", web_path(visit), web_account(visit),
                    visit->client);
        web_answer_error(visit, 403, "This form is out of date. Nothing was changed. Open the page again.");
    } else {
        take_flash(visit);
        page(visit);
    }
}

static void on_request(struct http_request *request, void *ctx)
{
    struct web *web = ctx;
    const char *origin = gateway_parts(web->gateway)->config->admin.origin;
    const char *first = http_request_segment(request, 0);
    struct web_visit *visit = xcalloc(1, sizeof *visit);
    visit->web = web;
    visit->gateway = web->gateway;
    visit->request = request;
    visit->next = web->visits;
    web->visits = visit;
    visit->by_origin = origin && strcasecmp(strstr(origin, "://") + 3, http_request_host(request)) == 0;
    visit->is_secure = visit->by_origin && strncmp(origin, "https:", 6) == 0;
    visit->client = client_of(visit);
    if (strcmp(first, "static") == 0 && !web_is_post(visit)) {
        answer_static(visit, http_request_segment(request, 2) ? NULL : http_request_segment(request, 1));
    } else if (strcmp(first, "api") == 0) {
        web_api(visit);
    } else if (http_request_form_is_malformed(request)) {
        web_answer_error(visit, 400, "This form was not sent as browsers send it.");
    } else if (!web_session_load(visit)) {
        web_answer_error(visit, 503, "The database could not be read. The log of the gateway says why.");
    } else {
        const struct route *route = find_route(visit);
        if (route)
            call_page(visit, route);
        else
            web_answer_error(visit, 404, "There is no such page.");
    }
}

/* ---- the server ---- */

static void sweep(void *arg)
{
    struct web *web = arg;
    web_session_sweep(web);
    timer_start(web->sweeper, SWEEP_MS);
}

/* It is opened when root's privileges are gone, because a socket file has to be the daemon's user's. */
static bool is_kept_from_us(const char *address, const char *error)
{
    const char *colon = strrchr(address, ':');
    const unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    return strncmp(address, "unix:", 5) != 0 && port > 0 && port < UNPRIVILEGED_PORTS &&
           strstr(error, strerrordesc_np(EACCES));
}

struct web *web_new(struct gateway *gateway, char **error_out)
{
    const struct parts *parts = gateway_parts(gateway);
    const struct config *config = parts->config;
    char *error = NULL;
    *error_out = NULL;
    if (!config->admin.http)
        return NULL;
    struct web *web = xcalloc(1, sizeof *web);
    const char *const hosts[] = { config->admin.origin ? strstr(config->admin.origin, "://") + 3 : NULL, NULL };
    const struct http_server_settings settings = { .loop = parts->loop,
                                                   .name = "web",
                                                   .address = config->admin.http,
                                                   .hosts = hosts,
                                                   .header_max = HEADER_MAX,
                                                   .body_max = WEB_FORM_MAX,
                                                   .answers_max = ANSWERS_MAX,
                                                   .connections_max = CONNECTIONS_MAX,
                                                   .timeout_ms = TIMEOUT_MS,
                                                   .fields = fields,
                                                   .handler = on_request,
                                                   .ctx = web };
    web->gateway = gateway;
    web->server = http_server_new(&settings, &error);
    if (!web->server) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        strbuf_add_fmt(
            &text, "can't open the web page: %s%s", error,
            is_kept_from_us(config->admin.http, error)
                ? "; ports below 1024 are not for it, even if root starts the daemon: give admin.http another"
                : "");
        *error_out = strbuf_detach(&text);
        free(error);
        free(web);
        return NULL;
    }
    web->limits = web_limits_new();
    web->strangers = web_strangers_new(parts);
    web->sweeper = timer_new(parts->loop, sweep, web);
    sweep(web);
    log_info("web.open", "address=%s origin=%s", web_address(web), config->admin.origin);
    return web;
}

void web_drain(struct web *web)
{
    if (web)
        http_server_drain(web->server);
}

bool web_is_busy(const struct web *web)
{
    return web && web->visits;
}

void web_free(struct web **web_in)
{
    struct web *web = *web_in;
    if (!web)
        return;
    for (struct web_visit *visit = web->visits; visit; visit = visit->next)
        visit->web = NULL;
    http_server_free(&web->server);
    web_strangers_free(&web->strangers);
    web_limits_free(&web->limits);
    for (size_t i = 0; i < WEB_FLASHES_MAX; i++)
        flash_clear(&web->flashes[i]);
    timer_free(&web->sweeper);
    free(web);
    *web_in = NULL;
}

const char *web_address(const struct web *web)
{
    return http_server_address(web->server);
}
