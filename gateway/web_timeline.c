/* web_timeline.c - see web_timeline.h */
#include "gateway/web_timeline.h"

#include <string.h>

#include "gateway/web_json.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"

/* How an event is marked; others are not. */
static const struct {
    const char *event, *class;
} marks[] = {
    { "posted", "good" },    { "delivered", "good" }, { "released", "good" },    { "opened", "good" },
    { "held", "warning" },   { "parked", "warning" }, { "deferred", "warning" }, { "limited", "warning" },
    { "warned", "warning" }, { "read", "warning" },   { "refused", "bad" },      { "failed", "bad" },
    { "dropped", "bad" },    { "expired", "bad" },    { "returned", "bad" },
};

static const char *class_of(const char *event)
{
    for (size_t i = 0; event && i < sizeof marks / sizeof marks[0]; i++)
        if (strcmp(marks[i].event, event) == 0)
            return marks[i].class;
    return "";
}

/* A paragraph of the story begins with its time, which stands above it here. */
static const char *without_time(const char *text, const char *time)
{
    size_t len = time ? strlen(time) : 0;
    return len > 0 && strncmp(text, time, len) == 0 && strncmp(text + len, ": ", 2) == 0 ? text + len + 2 : text;
}

static void add_item(struct web_html *html, const char *time, const char *event, const char *text)
{
    web_html_add(html, "<li class=\"%s\">", class_of(event));
    if (time)
        web_page_when(html, time);
    web_html_add(html, "<p>");
    web_words_linked(html, without_time(text ? text : "", time));
    web_html_add(html, "</p></li>\n");
}

/* Events in the order in which they were; between the first and the last ones some may be left out. */
static void add_events(struct web_html *html, const struct json_t *why, const char *list)
{
    size_t paragraphs = web_json_count(why, "story"), events = web_json_count(why, list);
    int64_t left_out = web_json_number(why, "trace_left_out");
    web_html_add(html, "<ol class=\"timeline\">\n");
    for (size_t i = 1; i < paragraphs; i++) {
        const struct json_t *event = paragraphs == events + 1 ? web_json_row(why, list, i - 1) : NULL;
        add_item(html, web_json_text(event, "time"), web_json_text(event, "event"),
                 web_json_text(web_json_row(why, "story", i), "text"));
    }
    web_html_add(html, "</ol>\n");
    if (left_out > 0)
        web_html_add(html, "<p class=\"soft\">%s events between the first and the last ones are left out here.</p>\n",
                     WEB_COUNT(left_out));
}

static void add_refused_before(struct web_html *html, const struct json_t *why)
{
    size_t count = web_json_count(why, "refused_before");
    if (count == 0)
        return;
    web_page_fold(html, "refused-before", "Before it was taken it was refused", true);
    web_html_add(html, "<ol class=\"timeline\">\n");
    for (size_t i = 0; i < count; i++)
        add_item(html, NULL, "refused", web_json_text(web_json_row(why, "refused_before", i), "text"));
    web_html_add(html, "</ol>\n");
    web_page_fold_end(html);
}

void web_timeline_section(struct web_html *html, const struct json_t *why)
{
    bool has_trace = web_json_has(why, "trace");
    web_page_section(html, "story", has_trace ? "Its story" : "What was refused");
    web_page_live(html, "story-live");
    web_html_add(html, "<p id=\"summary\">");
    web_words_linked(html, web_json_text(web_json_row(why, "story", 0), "text"));
    web_html_add(html, "</p>\n");
    add_refused_before(html, why);
    add_events(html, why, has_trace ? "trace" : "refusals");
    web_page_live_end(html);
    web_page_section_end(html);
}
