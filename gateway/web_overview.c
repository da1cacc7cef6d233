/* web_overview.c - the first page: what needs attention, how it goes, and what went through in the last day */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/web.h"
#include "gateway/web_attention.h"
#include "gateway/web_chart.h"
#include "gateway/web_json.h"
#include "gateway/web_page.h"

enum { HOURS = 24, STEPS_MAX = 1024, FLASH_MAX = 2000 };

/* What each part needs. */
struct facts {
    const struct web_visit *visit;
    const struct json_t *status, *silo, *history, *hourly; /* NULL: it could not be asked */
    int64_t now;
};

/* ---- attention ---- */

static void add_warning(enum web_tone tone, const char *text, const char *url, const char *label, void *ctx)
{
    struct web_html *html = ctx;
    web_html_add(html, "<li>");
    web_page_mark(html, tone, tone == WEB_BAD ? "trouble" : "look");
    web_html_add(html, "<span class=\"what\">%s", text);
    if (url)
        web_html_add(html, " <a href=\"%l\">%s</a>", url, label);
    web_html_add(html, "</span></li>\n");
}

static void add_attention(struct web_html *html, const struct facts *facts)
{
    web_page_section(html, "attention", "What needs attention");
    web_page_live(html, "attention-live");
    web_html_add(html, "<ul class=\"attention\">\n");
    size_t count = web_attention_list(facts->status, facts->silo, facts->now, add_warning, html);
    if (count == 0) {
        web_html_add(html, "<li>");
        web_page_mark(html, WEB_GOOD, "all is well");
        web_html_add(html, "<span class=\"what\">Nothing needs attention.</span></li>\n");
    }
    web_html_add(html, "</ul>\n");
    web_page_live_end(html);
    web_page_section_end(html);
}

/* ---- figures ---- */

static void begin_tile(struct web_html *html, const char *label)
{
    web_html_add(html, "<li><span class=\"label\">%s</span><span class=\"figure\">", label);
}

static void end_tile(struct web_html *html, const char *detail)
{
    web_html_add(html, "</span><span class=\"detail\">%s</span></li>\n", detail);
}

static int64_t sum(const struct json_t *history, const char *key)
{
    int64_t all = 0;
    for (size_t i = 0; i < web_json_count(history, "steps"); i++)
        all += web_json_number(web_json_row(history, "steps", i), key);
    return all;
}

static const struct json_t *queue_of(const struct facts *facts, const char *name)
{
    for (size_t i = 0; i < web_json_count(facts->status, "queues"); i++) {
        const struct json_t *queue = web_json_row(facts->status, "queues", i);
        if (web_json_says(queue, "queue", name))
            return queue;
    }
    return NULL;
}

static void add_queue_tile(struct web_html *html, const struct facts *facts, const char *name, const char *label)
{
    const struct json_t *queue = queue_of(facts, name);
    int64_t waiting = web_json_number(queue, "waiting") + web_json_number(queue, "routed");
    const char *oldest = WEB_AGO(web_json_text(queue, "oldest"), facts->now);
    struct strbuf detail;
    strbuf_init(&detail, 100);
    strbuf_add_fmt(&detail, waiting > 0 && oldest[0] ? "the oldest %s" : "nothing waits", oldest);
    begin_tile(html, label);
    web_html_add(html, "<a href=\"/queue?direction=%u\">%s</a>", name, WEB_COUNT(waiting));
    end_tile(html, detail.data);
    strbuf_free(&detail);
}

static void add_count_tiles(struct web_html *html, const struct facts *facts)
{
    struct strbuf detail;
    strbuf_init(&detail, 200);
    begin_tile(html, "Requests");
    web_html_add(html, "<a href=\"/requests\">%s</a>", WEB_COUNT(web_json_number(facts->status, "requests_waiting")));
    end_tile(html, "wait for a decision");
    begin_tile(html, "Held mail");
    web_html_add(html, "<a href=\"/held\">%s</a>", WEB_COUNT(web_json_number(queue_of(facts, "in"), "pending")));
    end_tile(html, "until it is approved");
    begin_tile(html, "Mail taken in");
    web_html_add(html, "%s", WEB_COUNT(sum(facts->history, "accepted")));
    strbuf_add_fmt(&detail, "in 24 h, and %s refused", WEB_COUNT(sum(facts->history, "rejected")));
    end_tile(html, detail.data);
    strbuf_clear(&detail);
    begin_tile(html, "Mail sent");
    web_html_add(html, "%s", WEB_COUNT(sum(facts->history, "delivered")));
    strbuf_add_fmt(&detail, "in 24 h, and %s failed", WEB_COUNT(sum(facts->history, "failed")));
    end_tile(html, detail.data);
    strbuf_free(&detail);
}

static void add_tiles(struct web_html *html, const struct facts *facts)
{
    struct strbuf detail;
    strbuf_init(&detail, 200);
    web_page_live(html, "tiles-live");
    web_html_add(html, "<ul class=\"tiles\" aria-label=\"At a glance\">\n");
    begin_tile(html, "Silo");
    web_page_state(html, web_json_text(facts->status, "silo_state"));
    strbuf_add_fmt(&detail, "since %s", WEB_TIME(web_json_text(facts->silo, "since")));
    end_tile(html, detail.data);
    add_queue_tile(html, facts, "in", "Mail to the silo");
    add_queue_tile(html, facts, "out", "Mail from members");
    add_count_tiles(html, facts);
    strbuf_clear(&detail);
    strbuf_add_fmt(&detail, "version %s", web_json_text(facts->status, "version"));
    begin_tile(html, "Running for");
    web_html_add(html, "%s", WEB_SPAN(web_json_number(facts->status, "uptime_s") * 1000));
    end_tile(html, detail.data);
    web_html_add(html, "</ul>\n");
    web_page_live_end(html);
    strbuf_free(&detail);
}

/* ---- the last day ---- */

static int64_t *values_of(const struct json_t *history, const char *key, size_t count)
{
    int64_t *values = xcalloc(count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        const struct json_t *step = web_json_row(history, "steps", i);
        values[i] = web_json_is(step, "running") && web_json_has(step, key) ? web_json_number(step, key) : -1;
    }
    return values;
}

static const char *show_count(int64_t value, char *buf)
{
    return web_format_count(value, buf);
}

static const char *show_span(int64_t value, char *buf)
{
    return value == 0 ? "0" : web_format_span(value, buf);
}

static const struct drawing {
    const char *id, *title;
    bool is_bars;
    const char *(*show)(int64_t value, char *buf);
    size_t count;
    struct {
        const char *key, *name;
    } series[WEB_CHART_SERIES_MAX];
} drawings[] = {
    { "chart-in",
      "Mail from outside, every ten minutes",
      true,
      show_count,
      3,
      { { "accepted", "taken in" }, { "rejected", "refused" }, { "deferred", "put off" } } },
    { "chart-through",
      "Carried through, every ten minutes",
      true,
      show_count,
      2,
      { { "posted", "into the silo" }, { "delivered", "out by mail" } } },
    { "chart-latency-in",
      "From taking in to the silo",
      false,
      show_span,
      2,
      { { "posted_median_ms", "half took less" }, { "posted_p95_ms", "95 of 100 took less" } } },
    { "chart-latency-out",
      "From the member to the relay",
      false,
      show_span,
      2,
      { { "delivered_median_ms", "half took less" }, { "delivered_p95_ms", "95 of 100 took less" } } },
};

static void draw(struct web_html *html, const struct json_t *history, const struct drawing *drawing)
{
    size_t count = web_json_count(history, "steps");
    const char *from = web_json_text(web_json_row(history, "steps", 0), "from");
    struct web_chart chart = { .id = drawing->id,
                               .title = drawing->title,
                               .is_bars = drawing->is_bars,
                               .step_ms = web_json_number(history, "step_s") * 1000,
                               .count = count,
                               .series_count = drawing->count,
                               .show = drawing->show };
    int64_t *values[WEB_CHART_SERIES_MAX] = { NULL };
    if (count == 0 || count > STEPS_MAX || !from || clock_parse_rfc3339(from, &chart.from_ms) != 1)
        return;
    for (size_t s = 0; s < drawing->count; s++) {
        values[s] = values_of(history, drawing->series[s].key, count);
        chart.series[s].name = drawing->series[s].name;
        chart.series[s].values = values[s];
    }
    web_chart_add(html, &chart);
    for (size_t s = 0; s < drawing->count; s++)
        free(values[s]);
}

static void add_span(struct web_html *html, const struct web_column *column, const struct json_t *row, const char *key)
{
    web_page_text(html, column, web_json_has(row, key) ? WEB_SPAN(web_json_number(row, key)) : NULL);
}

/* The charts' figures for those who read them, by hours. */
static void add_hours(struct web_html *html, const struct json_t *hourly)
{
    static const struct web_column columns[] = {
        { "From (UTC)", WEB_COLUMN_HEAD },       { "Taken in", WEB_COLUMN_NUMBER },
        { "Refused", WEB_COLUMN_NUMBER },        { "Put off", WEB_COLUMN_NUMBER },
        { "Held", WEB_COLUMN_NUMBER },           { "Into the silo", WEB_COLUMN_NUMBER },
        { "Half took less", WEB_COLUMN_NUMBER }, { "95 of 100", WEB_COLUMN_NUMBER },
        { "Out by mail", WEB_COLUMN_NUMBER },    { "Half took less", WEB_COLUMN_NUMBER },
        { "95 of 100", WEB_COLUMN_NUMBER },
    };
    static const char *const counts[] = { "accepted", "rejected", "deferred", "held", "posted" };
    web_page_fold(html, "hours", "The same as a table, by hours", false);
    web_page_table(html, "hours-table", "What went through in the last day", columns,
                   sizeof columns / sizeof columns[0]);
    for (size_t i = web_json_count(hourly, "steps"); i-- > 0;) {
        const struct json_t *step = web_json_row(hourly, "steps", i);
        web_page_row(html);
        web_page_text(html, &columns[0], WEB_TIME(web_json_text(step, "from")));
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            web_page_number(html, &columns[c + 1], web_json_number(step, counts[c]));
        add_span(html, &columns[6], step, "posted_median_ms");
        add_span(html, &columns[7], step, "posted_p95_ms");
        web_page_number(html, &columns[8], web_json_number(step, "delivered"));
        add_span(html, &columns[9], step, "delivered_median_ms");
        add_span(html, &columns[10], step, "delivered_p95_ms");
        web_page_row_end(html);
    }
    web_page_table_end(html);
    web_page_fold_end(html);
}

static void add_day(struct web_html *html, const struct facts *facts)
{
    web_html_add(html, "<section id=\"day\" aria-labelledby=\"day-heading\" class=\"bare\">\n"
                       "<h2 id=\"day-heading\">The last day</h2>\n");
    web_page_live(html, "day-live");
    web_html_add(html, "<div class=\"columns\">\n");
    for (size_t i = 0; facts->history && i < sizeof drawings / sizeof drawings[0]; i++)
        draw(html, facts->history, &drawings[i]);
    web_html_add(html, "</div>\n");
    if (facts->hourly)
        add_hours(html, facts->hourly);
    web_page_live_end(html);
    web_page_section_end(html);
}

/* ---- the silo ---- */

static void add_silo_acts(struct web_html *html, const struct facts *facts)
{
    bool is_refused = web_json_has(facts->silo, "pin_refused");
    if (web_json_says(facts->status, "silo_state", "online"))
        return;
    web_page_form(html, "silo-form", web_csrf(facts->visit), "/", NULL);
    web_html_add(html, "<div class=\"buttons\">");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "connect", "Connect now", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    if (!is_refused)
        return;
    web_page_form(html, "repin-form", web_csrf(facts->visit), "/",
                  "Pin the certificate that was refused? Compare it first with what the silo's operator says.");
    web_page_hidden(html, "pin", web_json_text(facts->silo, "pin_refused"));
    web_page_check(html, "sure", "sure", "yes", "I have compared it with what the silo's operator says", false);
    web_html_add(html, "<div class=\"buttons\">");
    web_page_button(html, WEB_BUTTON_DANGER, "act", "repin", "Pin the refused certificate", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
}

static void add_silo(struct web_html *html, const struct facts *facts)
{
    static const struct {
        const char *key, *term;
    } texts[] = { { "address", "Address" },
                  { "uid", "Account" },
                  { "alias", "Alias" },
                  { "pin", "Pinned" },
                  { "pin_refused", "Refused certificate" } };
    web_page_section(html, "silo", "Silo");
    web_page_live(html, "silo-live");
    web_page_facts(html);
    web_page_fact_state(html, "State", web_json_text(facts->status, "silo_state"));
    web_page_fact_time(html, "Since", web_json_text(facts->silo, "since"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (web_json_has(facts->silo, texts[i].key))
            web_page_fact_text(html, texts[i].term, web_json_text(facts->silo, texts[i].key));
    if (web_json_has(facts->silo, "last_error")) {
        web_page_fact_text(html, "Last error", web_json_text(facts->silo, "last_error"));
        web_page_fact_time(html, "When", web_json_text(facts->silo, "last_error_at"));
    }
    if (web_json_number(facts->silo, "next_attempt_s") > 0)
        web_page_fact_text(html, "Next attempt", "within five minutes");
    web_page_fact_text(html, "Reconnects", WEB_COUNT(web_json_number(facts->silo, "reconnects")));
    web_page_facts_end(html);
    add_silo_acts(html, facts);
    web_page_live_end(html);
    web_page_section_end(html);
}

/* ---- tables ---- */

static void add_relays(struct web_html *html, const struct facts *facts)
{
    static const struct web_column columns[] = {
        { "Relay", WEB_COLUMN_HEAD },         { "State", WEB_COLUMN_TIGHT },      { "Since", WEB_COLUMN_TIGHT },
        { "Connections", WEB_COLUMN_NUMBER }, { "Delivered", WEB_COLUMN_NUMBER }, { "Error", WEB_COLUMN_LONG }
    };
    web_page_section(html, "relays", "Relays");
    web_page_live(html, "relays-live");
    web_page_table(html, "relays-table", "Where members' mail goes", columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < web_json_count(facts->status, "relays"); i++) {
        const struct json_t *relay = web_json_row(facts->status, "relays", i);
        web_page_row(html);
        web_page_text(html, &columns[0], web_json_text(relay, "relay"));
        web_page_cell_state(html, &columns[1], web_json_text(relay, "state"));
        web_page_time(html, &columns[2], web_json_text(relay, "since"));
        web_page_number(html, &columns[3], web_json_number(relay, "connections"));
        web_page_number(html, &columns[4], web_json_number(relay, "delivered"));
        web_page_text(html, &columns[5], web_json_text(relay, "error"));
        web_page_row_end(html);
    }
    web_page_table_end(html);
    web_page_live_end(html);
    web_page_section_end(html);
}

static void add_queues(struct web_html *html, const struct facts *facts)
{
    static const struct web_column columns[] = {
        { "Queue", WEB_COLUMN_HEAD },       { "Due", WEB_COLUMN_NUMBER },       { "Put off", WEB_COLUMN_NUMBER },
        { "Under way", WEB_COLUMN_NUMBER }, { "Set aside", WEB_COLUMN_NUMBER }, { "For approval", WEB_COLUMN_NUMBER },
        { "Oldest", WEB_COLUMN_TIGHT }
    };
    static const char *const keys[] = { "due", "deferred", "under_way", "held", "pending" };
    web_page_section(html, "queues", "Queues");
    web_page_live(html, "queues-live");
    web_page_table(html, "queues-table", "What waits", columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < web_json_count(facts->status, "queues"); i++) {
        const struct json_t *queue = web_json_row(facts->status, "queues", i);
        const char *name = web_json_text(queue, "queue");
        bool is_in = name && strcmp(name, "in") == 0;
        web_page_row(html);
        web_page_cell(html, &columns[0]);
        web_html_add(html, "<a href=\"/queue?direction=%u\">%s</a>", name, is_in ? "to the silo" : "from members");
        web_page_cell_end(html, &columns[0]);
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            web_page_number(html, &columns[k + 1], web_json_number(queue, keys[k]));
        web_page_cell_ago(html, &columns[6], web_json_text(queue, "oldest"), facts->now);
        web_page_row_end(html);
    }
    web_page_table_end(html);
    web_page_live_end(html);
    web_page_section_end(html);
}

static void add_listeners(struct web_html *html, const struct facts *facts)
{
    static const struct web_column columns[] = {
        { "Listener", WEB_COLUMN_HEAD }, { "Address", WEB_COLUMN_LONG }, { "Sessions", WEB_COLUMN_NUMBER },
        { "Believes", WEB_COLUMN_LONG }, { "Peers", WEB_COLUMN_NUMBER }, { "Certificate until", WEB_COLUMN_TIGHT }
    };
    web_page_section(html, "listeners", "Listeners");
    web_page_live(html, "listeners-live");
    web_page_table(html, "listeners-table", "Where mail comes in, and whose word for its author counts there", columns,
                   sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < web_json_count(facts->status, "listeners"); i++) {
        const struct json_t *listener = web_json_row(facts->status, "listeners", i);
        const char *believes = web_json_text(listener, "believes");
        web_page_row(html);
        web_page_text(html, &columns[0], web_json_text(listener, "listener"));
        web_page_text(html, &columns[1], web_json_text(listener, "address"));
        web_page_number(html, &columns[2], web_json_number(listener, "sessions"));
        web_page_cell(html, &columns[3]);
        if (believes && strncmp(believes, "everybody", 9) == 0)
            web_page_mark(html, WEB_BAD, believes);
        else
            web_html_add(html, "%s", believes);
        web_page_cell_end(html, &columns[3]);
        web_page_number(html, &columns[4], web_json_number(listener, "peers"));
        web_page_time(html, &columns[5], web_json_text(listener, "certificate_ends"));
        web_page_row_end(html);
    }
    web_page_table_end(html);
    web_page_live_end(html);
    web_page_section_end(html);
}

static void add_numbers(struct web_html *html, const struct facts *facts)
{
    static const struct {
        const char *key, *term;
    } numbers[] = {
        { "mail_accepted", "Mail taken in" },
        { "mail_held", "Mail held" },
        { "mail_repeated", "Repetitions" },
        { "mail_rejected", "Mail refused" },
        { "mail_deferred", "Mail put off" },
        { "posted", "Posted into the silo" },
        { "messages_accepted", "Messages of members" },
        { "messages_ignored", "Messages not for mail" },
        { "delivered", "Delivered to relays" },
        { "store_operations", "Database operations" },
        { "store_commits", "Database commits" },
        { "store_longest_commit_us", "Longest commit (microseconds)" },
        { "dns_asked", "Questions to the DNS" },
        { "dns_unanswered", "Of these not answered" },
        { "verify_checked", "Senders checked" },
        { "verify_crashes", "Checks that crashed" },
        { "worker_crashes", "Conversions that crashed" },
        { "networks_slowed", "Networks slowed down for guessing" },
        { "networks_paused", "Networks shut out for guessing" },
    };
    web_page_section(html, "numbers", "Numbers since the start");
    web_page_live(html, "numbers-live");
    web_page_facts(html);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (web_json_has(facts->status, numbers[i].key))
            web_page_fact_text(html, numbers[i].term, WEB_COUNT(web_json_number(facts->status, numbers[i].key)));
    web_page_facts_end(html);
    web_page_live_end(html);
    web_page_section_end(html);
}

/* ---- the page ---- */

static void show(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count, (void)ctx;
    const struct facts facts = { .visit = visit,
                                 .status = results[0].json,
                                 .silo = results[1].json,
                                 .history = results[2].json,
                                 .hourly = results[3].json,
                                 .now = web_now(visit) };
    if (!facts.status) {
        web_page_fail(visit, &results[0]);
        return;
    }
    struct web_html *html = web_page_begin(visit, "Overview");
    add_attention(html, &facts);
    add_tiles(html, &facts);
    add_day(html, &facts);
    add_silo(html, &facts);
    add_relays(html, &facts);
    add_queues(html, &facts);
    add_listeners(html, &facts);
    add_numbers(html, &facts);
    web_page_end(visit, &html);
}

void web_overview(struct web_visit *visit)
{
    static const char *const status[] = { "status", NULL };
    static const char *const silo[] = { "silo", "status", NULL };
    static const char *const history[] = { "history", "--hours", "24", "--step", "10m", NULL };
    static const char *const hourly[] = { "history", "--hours", "24", "--step", "1h", NULL };
    static const struct web_order orders[] = {
        { .words = status }, { .words = silo }, { .words = history }, { .words = hourly }
    };
    web_run(visit, orders, sizeof orders / sizeof orders[0], show, NULL);
}

/* ---- acts ---- */

static void done(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    const char *told = ctx;
    struct strbuf refused;
    (void)count;
    strbuf_init(&refused, FLASH_MAX);
    strbuf_add_fmt(&refused, "Not done: %s.", results[0].error);
    web_redirect(visit, "/", results[0].json != NULL, results[0].json ? told : refused.data);
    strbuf_free(&refused);
}

static void repin(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    static const char *const words[] = { "silo", "repin", NULL };
    static const struct web_order order = { .words = words };
    const char *shown = web_form(visit, "pin"), *refused = web_json_text(results[0].json, "pin_refused");
    (void)count;
    if (!shown || !refused || strcmp(shown, refused) != 0)
        web_redirect(visit, "/", false, "Not done: the silo shows yet another certificate now. Compare that one.");
    else
        web_run(visit, &order, 1, done, ctx);
}

void web_overview_post(struct web_visit *visit)
{
    static const char *const connect[] = { "silo", "connect", NULL }, *const status[] = { "silo", "status", NULL };
    static const struct web_order connect_order = { .words = connect }, status_order = { .words = status };
    static char connected[] = "The gateway connects to the silo.",
                pinned[] = "The certificate is pinned, and the gateway connects.";
    const char *act = web_form(visit, "act");
    if (act && strcmp(act, "connect") == 0)
        web_run(visit, &connect_order, 1, done, connected);
    else if (act && strcmp(act, "repin") == 0 && web_form(visit, "sure"))
        web_run(visit, &status_order, 1, repin, pinned);
    else if (act && strcmp(act, "repin") == 0)
        web_redirect(visit, "/", false, "Not pinned: say that you have compared the certificate, too.");
    else
        web_answer_error(visit, 400, "This form was not sent as the page has it.");
}
