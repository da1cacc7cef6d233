/* web_page.c - see web_page.h: the frame and the parts of a page; forms are in web_form.c, tables in web_table.c */
#include "gateway/web_page.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/web.h"

#define DASH "<span class=\"none\">\xE2\x80\x93</span>"

enum { ADDRESS_SIZE = 80 };

/* ---- the frame ---- */

static const struct place {
    const char *path, *label;
} places[] = {
    { "/", "Overview" },       { "/requests", "Requests" }, { "/held", "Held mail" },  { "/mappings", "Mappings" },
    { "/members", "Members" }, { "/queue", "Queue" },       { "/message", "Message" }, { "/audit", "Audit" },
};

/* "/mappings" is where "/mappings/17" is; groups are with the members. */
static bool is_place_of(const struct place *place, const char *path)
{
    size_t len = strlen(place->path);
    if (strcmp(place->path, "/members") == 0 && strncmp(path, "/groups", 7) == 0)
        return true;
    if (len == 1)
        return strcmp(path, "/") == 0;
    return strncmp(path, place->path, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* With its digest, so that browsers may keep it for ever. */
static const char *static_address(const char *name, struct strbuf *buf)
{
    const struct web_static *file = web_static_find(name);
    strbuf_clear(buf);
    strbuf_add_fmt(buf, "/static/%s?v=%s", name, file ? file->digest : "");
    return buf->data;
}

static void add_head(struct web_html *html, const struct web_page_frame *frame)
{
    struct strbuf address;
    strbuf_init(&address, ADDRESS_SIZE);
    web_html_add(html,
                 "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s - %s - Postern</title>\n",
                 frame->title, frame->gateway);
    web_html_add(html, "<link rel=\"stylesheet\" href=\"%l\">\n", static_address("style.css", &address));
    web_html_add(html, "<link rel=\"icon\" type=\"image/svg+xml\" href=\"%l\">\n",
                 static_address("icon.svg", &address));
    web_html_add(html, "<script src=\"%l\" defer></script>\n</head>\n", static_address("postern.js", &address));
    strbuf_free(&address);
}

static void add_navigation(struct web_html *html, const struct web_page_frame *frame)
{
    web_html_add(html, "<nav class=\"places\" aria-label=\"Pages\"><ul>\n");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        web_html_add(html, "<li><a href=\"%l\"", places[i].path);
        if (is_place_of(&places[i], frame->path))
            web_html_add(html, " aria-current=\"page\"");
        web_html_add(html, ">%s</a></li>\n", places[i].label);
    }
    web_html_add(html, "</ul></nav>\n");
}

static void add_account(struct web_html *html, const struct web_page_frame *frame)
{
    web_html_add(html, "<div class=\"account\"><a id=\"own-account\" href=\"/account\"");
    if (strcmp(frame->path, "/account") == 0)
        web_html_add(html, " aria-current=\"page\"");
    web_html_add(html, "><span class=\"unseen\">Your account: </span><bdi>%s</bdi></a>", frame->account);
    web_page_form(html, "sign-out", frame->csrf, "/logout", NULL);
    web_html_add(html, "<button class=\"quiet\">Sign out</button>");
    web_page_form_end(html);
    web_html_add(html, "</div>\n");
}

void web_page_open(struct web_html *html, const struct web_page_frame *frame)
{
    add_head(html, frame);
    web_html_add(html, "<body class=\"%s\">\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n",
                 frame->account ? "inside" : "outside");
    web_html_add(html,
                 "<header class=\"top\"><a class=\"brand\" href=\"/\"><span class=\"brand-name\">Postern</span> "
                 "<span class=\"brand-gateway\">%s</span></a>\n",
                 frame->gateway);
    if (frame->account) {
        add_navigation(html, frame);
        add_account(html, frame);
    }
    web_html_add(html, "</header>\n<main id=\"main\" tabindex=\"-1\">\n<h1>%s</h1>\n", frame->title);
    if (frame->account) /* postern.js says there what it can't bring up to date */
        web_html_add(html, "<div id=\"connection\" role=\"status\"></div>\n");
    if (frame->flash)
        web_html_add(html, "<div id=\"flash\" class=\"flash %s\" role=\"%s\"><p>%t</p></div>\n",
                     frame->flash_is_good ? "good" : "bad", frame->flash_is_good ? "status" : "alert", frame->flash);
}

void web_page_close(struct web_html *html, const struct web_page_frame *frame)
{
    char now[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(frame->now, now);
    web_html_add(html, "</main>\n<footer class=\"bottom\"><p>Postern %s <span class=\"sep\">\xC2\xB7</span> ",
                 POSTERN_VERSION);
    web_html_add(html, "as of <time id=\"as-of\" data-follows datetime=\"%s\">%s</time>, times are UTC</p></footer>\n",
                 now, WEB_TIME(now));
    web_html_add(html, "</body>\n</html>\n");
}

static struct web_page_frame frame_of(const struct web_visit *visit, const char *title)
{
    const struct config *config = gateway_parts(web_gateway(visit))->config;
    struct web_page_frame frame = { .title = title,
                                    .gateway = config->hostname,
                                    .path = web_path(visit),
                                    .account = web_account(visit),
                                    .csrf = web_csrf(visit),
                                    .now = web_now(visit) };
    frame.flash = web_flash(visit, &frame.flash_is_good);
    return frame;
}

struct web_html *web_page_begin(const struct web_visit *visit, const char *title)
{
    const struct web_page_frame frame = frame_of(visit, title);
    struct web_html *html = web_html_new();
    web_page_open(html, &frame);
    return html;
}

void web_page_end_status(struct web_visit *visit, struct web_html **html, int status)
{
    const struct web_page_frame frame = frame_of(visit, "");
    web_page_close(*html, &frame);
    if (web_html_ok(*html)) {
        web_answer_html(visit, status, web_html_written(*html));
    } else {
        log_error("web.page", "path=%s octets=%zu", web_path(visit), web_html_written(*html)->len);
        web_answer_error(visit, 500, "This page could not be made. The log of the gateway says why.");
    }
    web_html_free(html);
}

void web_page_end(struct web_visit *visit, struct web_html **html)
{
    web_page_end_status(visit, html, 200);
}

void web_page_fail(struct web_visit *visit, const struct web_result *result)
{
    bool is_unknown = strncmp(result->error, "there is no ", 12) == 0;
    web_answer_error(visit,
                     is_unknown                      ? 404
                     : result->exit == ADMIN_USAGE   ? 400
                     : result->exit == ADMIN_NOT_NOW ? 503
                                                     : 409,
                     result->error);
}

/* ---- parts ---- */

void web_page_section(struct web_html *html, const char *id, const char *heading)
{
    web_html_add(html, "<section id=\"%s\" aria-labelledby=\"%s-heading\">\n<h2 id=\"%s-heading\">%s</h2>\n", id, id,
                 id, heading);
}

void web_page_section_end(struct web_html *html)
{
    web_html_add(html, "</section>\n");
}

void web_page_live(struct web_html *html, const char *id)
{
    web_html_add(html, "<div id=\"%s\" data-live>\n", id);
}

void web_page_live_end(struct web_html *html)
{
    web_html_add(html, "</div>\n");
}

void web_page_empty(struct web_html *html, const char *text)
{
    web_html_add(html, "<p class=\"empty\">%s</p>\n", text);
}

static const char *const tone_names[] = {
    [WEB_NEUTRAL] = "neutral", [WEB_GOOD] = "good", [WEB_WARNING] = "warning", [WEB_BAD] = "bad"
};

void web_page_note(struct web_html *html, enum web_tone tone, const char *text)
{
    web_html_add(html, "<p class=\"note %s\">%s</p>\n", tone_names[tone], text);
}

void web_page_fold(struct web_html *html, const char *id, const char *summary, bool open)
{
    web_html_add(html, "<details id=\"%s\"", id);
    if (open)
        web_html_add(html, " open");
    web_html_add(html, "><summary>%s</summary>\n<div class=\"fold\">\n", summary);
}

void web_page_fold_end(struct web_html *html)
{
    web_html_add(html, "</div></details>\n");
}

void web_page_facts(struct web_html *html)
{
    web_html_add(html, "<dl class=\"facts\">\n");
}

void web_page_facts_end(struct web_html *html)
{
    web_html_add(html, "</dl>\n");
}

void web_page_fact(struct web_html *html, const char *term)
{
    web_html_add(html, "<div><dt>%s</dt><dd>", term);
}

void web_page_fact_end(struct web_html *html)
{
    web_html_add(html, "</dd></div>\n");
}

void web_page_fact_text(struct web_html *html, const char *term, const char *text)
{
    web_page_fact(html, term);
    if (text && text[0])
        web_html_add(html, "%s", text);
    else
        web_html_add(html, DASH);
    web_page_fact_end(html);
}

void web_page_fact_time(struct web_html *html, const char *term, const char *rfc3339)
{
    web_page_fact(html, term);
    web_page_when(html, rfc3339);
    web_page_fact_end(html);
}

void web_page_fact_state(struct web_html *html, const char *term, const char *state)
{
    web_page_fact(html, term);
    web_page_state(html, state);
    web_page_fact_end(html);
}

/* ---- words ---- */

static const struct meaning {
    const char *state;
    enum web_tone tone;
} meanings[] = {
    { "approved", WEB_GOOD },
    { "up", WEB_GOOD },
    { "online", WEB_GOOD },
    { "let through", WEB_GOOD },
    { "settled", WEB_GOOD },
    { "intact", WEB_GOOD },
    { "delivered", WEB_GOOD },
    { "posted", WEB_GOOD },
    { "consented", WEB_GOOD },
    { "joined", WEB_GOOD },
    { "pass", WEB_GOOD },
    { "released", WEB_GOOD },
    { "requested", WEB_WARNING },
    { "awaits approval", WEB_WARNING },
    { "suspended", WEB_WARNING },
    { "held", WEB_WARNING },
    { "held for approval", WEB_WARNING },
    { "deferred", WEB_WARNING },
    { "probing", WEB_WARNING },
    { "pending", WEB_WARNING },
    { "connecting", WEB_WARNING },
    { "waiting", WEB_NEUTRAL },
    { "invited", WEB_WARNING },
    { "asked", WEB_WARNING },
    { "logging-in", WEB_WARNING },
    { "barrier", WEB_WARNING },
    { "denied", WEB_BAD },
    { "revoked", WEB_BAD },
    { "down", WEB_BAD },
    { "stopped", WEB_BAD },
    { "offline", WEB_BAD },
    { "refused", WEB_BAD },
    { "dropped", WEB_BAD },
    { "failed", WEB_BAD },
    { "fail", WEB_BAD },
    { "broken", WEB_BAD },
    { "removed", WEB_BAD },
    { "left", WEB_BAD },
};

void web_page_mark(struct web_html *html, enum web_tone tone, const char *text)
{
    web_html_add(html, "<span class=\"state %s\">%s</span>", tone_names[tone], text);
}

void web_page_state(struct web_html *html, const char *state)
{
    enum web_tone tone = WEB_NEUTRAL;
    if (!state)
        state = "";
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strcmp(state, meanings[i].state) == 0)
            tone = meanings[i].tone;
    web_page_mark(html, tone, state);
}

void web_page_when(struct web_html *html, const char *rfc3339)
{
    const char *shown = WEB_TIME(rfc3339);
    if (shown[0])
        web_html_add(html, "<time datetime=\"%s\">%s</time>", rfc3339, shown);
    else
        web_html_add(html, DASH);
}

void web_page_ago(struct web_html *html, const char *rfc3339, int64_t now)
{
    const char *shown = WEB_AGO(rfc3339, now);
    if (shown[0])
        web_html_add(html, "<time datetime=\"%s\" title=\"%s UTC\">%s</time>", rfc3339, WEB_TIME(rfc3339), shown);
    else
        web_html_add(html, DASH);
}

void web_page_link(struct web_html *html, const char *url, const char *text)
{
    web_html_add(html, "<a href=\"%l\">%s</a>", url, text);
}

void web_page_more(struct web_html *html, const char *url, const char *label)
{
    web_html_add(html, "<p class=\"more\"><a rel=\"next\" href=\"%l\">%s</a></p>\n", url, label);
}
