/* gateway_web_page_test.c - the frame of pages and their pieces: what is said, to whom, and that foreign text stays text */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/web_chart.h"
#include "gateway/web_page.h"

#define HOSTILE "<script>alert(1)</script>\" onx='\x1b"
#define INERT   "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onx=&#39;\xef\xbf\xbd"

static void assert_has(const struct web_html *html, const char *part)
{
    if (!strstr(web_html_written(html)->data, part))
        fail_msg("\"%s\" is not in:\n%s", part, web_html_written(html)->data);
}

static void assert_has_not(const struct web_html *html, const char *part)
{
    if (strstr(web_html_written(html)->data, part))
        fail_msg("\"%s\" is in:\n%s", part, web_html_written(html)->data);
}

static void whoever_is_signed_in_gets_around(void **state)
{
    (void)state;
    const struct web_page_frame frame = { .title = HOSTILE,
                                          .gateway = "gw.example.org",
                                          .path = "/mappings/17",
                                          .account = HOSTILE,
                                          .csrf = "TOKEN",
                                          .flash = HOSTILE "\nsecond line",
                                          .now = 1795415305123 };
    struct web_html *html = web_html_new();
    web_page_open(html, &frame);
    web_page_close(html, &frame);
    assert_true(web_html_ok(html));
    assert_has(html, "<html lang=\"en\">");
    assert_has(html, "<title>" INERT " - gw.example.org - Postern</title>");
    assert_has(html, "<h1>" INERT "</h1>");
    assert_has(html, "role=\"alert\"><p>" INERT "\nsecond line</p>");
    assert_has(html, "<a href=\"/mappings\" aria-current=\"page\">Mappings</a>");
    assert_has(html, "<a class=\"skip\" href=\"#main\">");
    assert_has(html, "action=\"/logout\"");
    assert_has(html, "name=\"csrf\" value=\"TOKEN\"");
    assert_has(html, "href=\"/static/style.css?v=");
    assert_has_not(html, "<script>");
    assert_has_not(html, "\" onx");
    assert_has_not(html, "style=\"");
    web_html_free(&html);
}

static void only_one_place_is_marked(void **state)
{
    (void)state;
    static const struct {
        const char *path, *marked;
    } cases[] = {
        { "/", "<a href=\"/\" aria-current=\"page\">" },
        { "/held/in17/content", "<a href=\"/held\" aria-current=\"page\">" },
        { "/groups/17", "<a href=\"/members\" aria-current=\"page\">" },
        { "/mappings", "<a href=\"/mappings\" aria-current=\"page\">" },
        { "/account", "href=\"/account\" aria-current=\"page\">" },
        { "/heldenish", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct web_page_frame frame = {
            .title = "x", .gateway = "g", .path = cases[i].path, .account = "a", .csrf = "t"
        };
        struct web_html *html = web_html_new();
        web_page_open(html, &frame);
        if (cases[i].marked)
            assert_has(html, cases[i].marked);
        const char *first = strstr(web_html_written(html)->data, "aria-current");
        assert_true(cases[i].marked ? first && !strstr(first + 1, "aria-current") : !first);
        web_html_free(&html);
    }
}

static void who_has_not_signed_in_sees_no_navigation(void **state)
{
    (void)state;
    const struct web_page_frame frame = { .title = "Sign in", .gateway = "gw.example.org", .path = "/login" };
    struct web_html *html = web_html_new();
    web_page_open(html, &frame);
    web_page_close(html, &frame);
    assert_true(web_html_ok(html));
    assert_has_not(html, "<nav");
    assert_has_not(html, "/logout");
    assert_has(html, "<main id=\"main\"");
    web_html_free(&html);
}

static void tables_name_their_rows_and_columns(void **state)
{
    (void)state;
    static const struct web_column columns[] = { { "Name", WEB_COLUMN_HEAD },
                                                 { "Mails", WEB_COLUMN_NUMBER },
                                                 { "Since", WEB_COLUMN_TIGHT } };
    struct web_html *html = web_html_new();
    web_page_table(html, "members", "Members", columns, 3);
    web_page_row(html);
    web_page_text(html, &columns[0], HOSTILE);
    web_page_number(html, &columns[1], 1234567);
    web_page_time(html, &columns[2], "2026-11-26T13:04:05.678Z");
    web_page_row_end(html);
    web_page_table_end(html);
    assert_true(web_html_ok(html));
    assert_has(html, "<caption id=\"members-caption\">Members</caption>");
    assert_has(html, "<th scope=\"col\" class=\"number\">Mails</th>");
    assert_has(html, "<th scope=\"row\" class=\"head\" data-label=\"Name\">" INERT "</th>");
    assert_has(html, ">1\xe2\x80\xaf"
                     "234\xe2\x80\xaf"
                     "567</td>");
    assert_has(html, "<time datetime=\"2026-11-26T13:04:05.678Z\">2026-11-26 13:04</time>");
    web_html_free(&html);
}

static void states_have_a_mark_besides_their_colour(void **state)
{
    (void)state;
    static const struct {
        const char *state, *written;
    } cases[] = {
        { "approved", "<span class=\"state good\">approved</span>" },
        { "requested", "<span class=\"state warning\">requested</span>" },
        { "revoked", "<span class=\"state bad\">revoked</span>" },
        { HOSTILE, "<span class=\"state neutral\">" INERT "</span>" },
        { NULL, "<span class=\"state neutral\"></span>" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct web_html *html = web_html_new();
        web_page_state(html, cases[i].state);
        assert_true(web_html_ok(html));
        assert_string_equal(web_html_written(html)->data, cases[i].written);
        web_html_free(&html);
    }
}

static void fields_have_labels_and_keep_what_was_written(void **state)
{
    (void)state;
    static const struct web_choice choices[] = { { "in", "inward" }, { "out", "outward" }, { NULL, NULL } };
    struct web_html *html = web_html_new();
    web_page_form(html, "form", "TOKEN", "/mappings", "Sure?");
    web_page_field(html,
                   &(struct web_field){ .id = "a", .name = "a", .label = "Address", .value = HOSTILE, .hint = "Hint" });
    web_page_field(html,
                   &(struct web_field){ .id = "b", .name = "b", .label = "Way", .value = "out", .choices = choices });
    web_page_field(html,
                   &(struct web_field){ .id = "c", .name = "c", .label = "Text", .value = "\n</textarea>", .rows = 3 });
    web_page_check(html, "d", "d", "1", HOSTILE, true);
    web_page_button(html, WEB_BUTTON_DANGER, "act", "drop", "Drop", "Drop " HOSTILE);
    web_page_form_end(html);
    assert_true(web_html_ok(html));
    assert_has(html, "<form id=\"form\" method=\"post\" action=\"/mappings\" data-confirm=\"Sure?\">");
    assert_has(html, "<label for=\"a\">Address</label>");
    assert_has(html, "aria-describedby=\"a-hint\"");
    assert_has(html, " value=\"" INERT "\">");
    assert_has(html, "<option value=\"out\" selected>outward</option>");
    assert_has(html, ">\n\n&lt;/textarea&gt;</textarea>"); /* readers drop the first line end */
    assert_has(html, "value=\"1\" checked><label for=\"d\">" INERT "</label>");
    assert_has(html, "aria-label=\"Drop " INERT "\">Drop</button>");
    web_html_free(&html);
}

static void times_and_sizes_are_read_with_ease(void **state)
{
    (void)state;
    assert_string_equal(WEB_BYTES(0), "0 bytes");
    assert_string_equal(WEB_BYTES(1), "1 byte");
    assert_string_equal(WEB_BYTES(1023), "1023 bytes");
    assert_string_equal(WEB_BYTES(1536), "1.5 KiB");
    assert_string_equal(WEB_BYTES(1024 * 1024 - 1), "1.0 MiB");
    assert_string_equal(WEB_BYTES(INT64_C(35) * 1024 * 1024), "35 MiB");
    assert_string_equal(WEB_BYTES(INT64_MAX), "8388608 TiB");
    assert_string_equal(WEB_COUNT(-1234), "-1\xe2\x80\xaf"
                                          "234");
    assert_string_equal(WEB_COUNT(999), "999");
    assert_string_equal(WEB_SPAN(120), "120 ms");
    assert_string_equal(WEB_SPAN(1500), "1.5 s");
    assert_string_equal(WEB_SPAN(35000), "35 s");
    assert_string_equal(WEB_SPAN(15120000), "4 h 12 min");
    assert_string_equal(WEB_SPAN(INT64_C(3) * 86400000), "3 days");
    assert_string_equal(WEB_TIME("2026-11-26T13:04:05Z"), "2026-11-26 13:04");
    assert_string_equal(WEB_TIME("<b>"), "");
    assert_string_equal(WEB_TIME(NULL), "");
    assert_string_equal(WEB_AGO("1970-01-01T00:00:00Z", 5 * 60000 + 20000), "5 min ago");
    assert_string_equal(WEB_AGO("1970-01-01T00:05:00Z", 0), "in 5 min");
    assert_string_equal(WEB_AGO("1970-01-01T00:00:00Z", 500), "now");
}

static const char *show(int64_t value, char *buf)
{
    return web_format_count(value, buf);
}

static void charts_have_gaps_where_nothing_is_known(void **state)
{
    (void)state;
    static const int64_t first[] = { 1, 2, -1, 4 }, second[] = { -1, 0, 2, -1 };
    struct web_chart chart = { .id = "c",
                               .title = "Mail",
                               .step_ms = 3600000,
                               .count = 4,
                               .series_count = 2,
                               .series = { { "taken in", first }, { "refused", second } },
                               .show = show };
    for (int bars = 0; bars <= 1; bars++) {
        struct web_html *html = web_html_new();
        chart.is_bars = bars;
        web_chart_add(html, &chart);
        assert_true(web_html_ok(html));
        assert_has(html, "role=\"img\" aria-label=\"Mail, at most 4\"");
        assert_has(html, ">6</text>"); /* the scale's end */
        assert_has(html, ">00:00</text>");
        assert_has(html, "</svg>taken in</li>");
        assert_has(html, bars ? "<rect class=\"first\""
                              : "<path class=\"line first\" d=\"M56.0 93.3L141.0 76.7\"/><circle class=\"first\"");
        assert_has_not(html, "\"nan");
        web_html_free(&html);
    }
    chart.count = 0;
    struct web_html *html = web_html_new();
    web_chart_add(html, &chart);
    assert_true(web_html_ok(html));
    web_html_free(&html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_signed_in_gets_around),
        cmocka_unit_test(only_one_place_is_marked),
        cmocka_unit_test(who_has_not_signed_in_sees_no_navigation),
        cmocka_unit_test(tables_name_their_rows_and_columns),
        cmocka_unit_test(states_have_a_mark_besides_their_colour),
        cmocka_unit_test(fields_have_labels_and_keep_what_was_written),
        cmocka_unit_test(times_and_sizes_are_read_with_ease),
        cmocka_unit_test(charts_have_gaps_where_nothing_is_known),
    };
    return cmocka_run_group_tests_name("gateway_web_page", tests, NULL, NULL);
}
