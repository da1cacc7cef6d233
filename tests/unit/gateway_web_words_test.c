/* gateway_web_words_test.c - links are made of what names a page of ours, and of nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/web_html.h"
#include "gateway/web_words.h"

struct row {
    const char *text, *expected;
};

static void assert_rows(const struct row *rows, size_t count, void (*write)(struct web_html *html, const char *text))
{
    for (size_t i = 0; i < count; i++) {
        struct web_html *html = web_html_new();
        write(html, rows[i].text);
        assert_true(web_html_ok(html));
        assert_string_equal(web_html_written(html)->data, rows[i].expected);
        web_html_free(&html);
    }
}

#define IN17      "<a href=\"/message?id=in17\">in17</a>"
#define MAPPING_3 "<a href=\"/mappings/3\">mapping 3</a>"

static void sentences_have_links(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "", "" },
        { "in17", IN17 },
        { "It is about in17.", "It is about " IN17 "." },
        { "in17, then in17", IN17 ", then " IN17 },
        { "let in by mapping 3 (bob)", "let in by " MAPPING_3 " (bob)" },
        { "for them; request 3; the member", "for them; <a href=\"/mappings/3\">request 3</a>; the member" },
        { "out5", "<a href=\"/message?id=out5\">out5</a>" },
        { "within17", "within17" },
        { "in17b", "in17b" },
        { "in17@example.com", "in17@example.com" },
        { "in17.example.com", "in17.example.com" },
        { "mail-in17", "mail-in17" },
        { "<in17>", "&lt;" IN17 "&gt;" },
        { "in", "in" },
        { "in out inout5", "in out inout5" },
        { "in1234567890123456789012345", "in1234567890123456789012345" },
        { "mapping ", "mapping " },
        { "mapping 3x", "mapping 3x" },
        { "mapping 99999999999999999999999", "mapping 99999999999999999999999" },
        { "mapping mapping 3", "mapping " MAPPING_3 },
        { "<script>mapping 3</script>", "&lt;script&gt;" MAPPING_3 "&lt;/script&gt;" },
        { "\"in17\"", "&quot;" IN17 "&quot;" },
        { "r\xC3\xA4in17", "r\xC3\xA4in17" },
    };
    assert_rows(rows, sizeof rows / sizeof rows[0], web_words_linked);
}

static void objects_have_links(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "in17", IN17 },
        { "mapping 3", MAPPING_3 },
        { "member Alice Member", "<a href=\"/members/Alice%20Member\">member Alice Member</a>" },
        { "member a/../b?c#d%", "<a href=\"/members/a%2F..%2Fb%3Fc%23d%25\">member a/../b?c#d%</a>" },
        { "member \"><b>", "<a href=\"/members/%22%3E%3Cb%3E\">member &quot;&gt;&lt;b&gt;</a>" },
        { "group Sales Team", "<a href=\"/groups/Sales%20Team\">group Sales Team</a>" },
        { "member ", "member " },
        { "gateway", "gateway" },
        { "all", "all" },
        { "in17 and more", "in17 and more" },
        { "", "" },
    };
    assert_rows(rows, sizeof rows / sizeof rows[0], web_words_object);
}

static void addresses_have_queries(void **state)
{
    (void)state;
    struct strbuf address;
    strbuf_init(&address, 1000);
    strbuf_add_str(&address, "/queue");
    web_words_query(&address, "state", NULL);
    web_words_query(&address, "from", "");
    assert_string_equal(address.data, "/queue");
    web_words_query(&address, "to", "a&b=c d");
    web_words_query(&address, "after", "in-held-17");
    assert_string_equal(address.data, "/queue?to=a%26b%3Dc%20d&after=in-held-17");
    strbuf_free(&address);
    char *page = web_words_page("/members/", "Eve/../?a#b");
    assert_string_equal(page, "/members/Eve%2F..%2F%3Fa%23b");
    free(page);
}

static void words_from_outside_are_no_options(void **state)
{
    (void)state;
    struct web_words words = web_words_of("member", "add");
    web_words_option(&words, "--address", NULL);
    web_words_option(&words, "--address", "--force");
    web_words_add(&words, "--alias");
    web_words_add(&words, "--other");
    static const char *const expected[] = { "member", "add", "--address", "--force", "--", "--alias", "--other", NULL };
    const struct web_order order = web_words_order(&words);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        if (expected[i])
            assert_string_equal(order.words[i], expected[i]);
        else
            assert_null(order.words[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_have_links),
        cmocka_unit_test(objects_have_links),
        cmocka_unit_test(addresses_have_queries),
        cmocka_unit_test(words_from_outside_are_no_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
