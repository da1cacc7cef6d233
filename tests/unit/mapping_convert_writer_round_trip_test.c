/* A thread message that leaves as mail and comes back is the same message: generated ones, with the HTML shown and with the
 * plain text. These are what our own writer of CommonMark makes; mapping_convert_round_trip_test.c has such as people type. What may differ is said here, and nothing else.
 *
 * - A table of one column is its lines; none is made here.
 * - With the plain text: signs of markup (emphasis, code, tables, headings, rules) are those of plain text, which this test does not
 *   look at; links have their address behind them, pictures are their description and name. Words, quotes and lists are the same.
 *
 * Attachments are the same files, byte for byte, with both. POSTERN_SEED repeats a run, POSTERN_ROUNDS says how many (300). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_input.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"

enum { MAX = 8 << 20 };

static struct convert_charsets *charsets;
static uint64_t random_state;
static bool is_text_mode; /* lines begin with a word: in plain text a sign there means something */

static unsigned pick(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

/* ---- messages ---- */

static void add_words(struct commonmark_writer *writer, unsigned most)
{
    static const char *const words[] = { "gate",    "fence",     "snake_case", "Größe", "日本語", "5*3", "<b>",
                                         "&amp;",   "it's",      "[1]",        "a|b",   "C:\\x",  "👍",   "1.",
                                         "\"yes\"", "end.",      "what?",      "-",     "#4",     "`",   "_",
                                         "*",       "x < y > z", "50%",        "~",     "(so)",   "=",   "!" };
    if (is_text_mode)
        commonmark_add_text(writer, "So ", 3);
    for (unsigned n = 1 + pick(most); n > 0; n--) {
        const char *word = words[pick(sizeof words / sizeof *words)];
        commonmark_add_text(writer, word, strlen(word));
        if (n > 1)
            commonmark_add_text(writer, " ", 1);
    }
}

static void add_emphasis(struct commonmark_writer *writer)
{
    enum commonmark_emphasis kind = (enum commonmark_emphasis)pick(COMMONMARK_EMPHASIS_COUNT);
    commonmark_add_text(writer, " ", 1);
    commonmark_open_emphasis(writer, kind);
    commonmark_add_text(writer, "plain words", 11);
    commonmark_close_emphasis(writer, kind);
    commonmark_add_text(writer, " ", 1);
}

static void add_inline(struct commonmark_writer *writer)
{
    add_words(writer, 6);
    switch (pick(9)) {
    case 0:
        add_emphasis(writer);
        break;
    case 1:
        commonmark_add_text(writer, " ", 1);
        commonmark_add_code(writer, "a * b", 5);
        break;
    case 2:
        commonmark_add_text(writer, " ", 1);
        commonmark_open_link(writer, "https://example.com/a_b?c=1&d=(2)");
        commonmark_add_text(writer, "the site", 8);
        commonmark_close_link(writer);
        break;
    case 3:
        commonmark_add_text(writer, " ", 1);
        commonmark_add_autolink(writer, "https://example.com/x", 21);
        break;
    case 4:
        commonmark_add_break(writer);
        commonmark_add_text(writer, "next line", 9);
        break;
    default:
        break;
    }
}

static void add_table(struct commonmark_writer *writer)
{
    unsigned columns = 2 + pick(2);
    enum commonmark_align aligns[3] = { COMMONMARK_ALIGN_NONE };
    commonmark_open_table(writer, aligns, columns);
    for (unsigned row = 0; row < 2 + pick(3); row++) {
        for (unsigned column = 0; column < columns; column++) {
            commonmark_add_text(writer, row == 0 ? "head" : "cell", 4);
            commonmark_end_cell(writer);
        }
        commonmark_end_row(writer);
    }
    commonmark_close_table(writer);
}

/* NOLINTNEXTLINE(misc-no-recursion): depth says how far */
static void add_blocks(struct commonmark_writer *writer, unsigned most, unsigned depth)
{
    static const char code[] = "int f(void)\n{\n    return 1;\n}\n";
    for (unsigned n = 1 + pick(most); n > 0; n--) {
        switch (pick(depth > 0 ? 9 : 5)) {
        case 0:
            add_words(writer, 3);
            commonmark_end_heading(writer, 1 + pick(3));
            break;
        case 1:
            commonmark_add_code_block(writer, code, sizeof code - 1);
            break;
        case 2:
            if (depth == 2)
                add_table(writer);
            break;
        case 5:
            commonmark_open_quote(writer);
            add_blocks(writer, 2, depth - 1);
            commonmark_close_container(writer);
            break;
        case 6:
        case 7: {
            bool is_ordered = pick(2);
            commonmark_open_list(writer, is_ordered, 1 + pick(3));
            for (unsigned items = 2 + pick(2); items > 0; items--) {
                commonmark_open_item(writer);
                add_words(writer, 4);
                commonmark_end_paragraph(writer);
                commonmark_close_container(writer);
            }
            commonmark_close_container(writer);
            add_words(writer, 3);
            commonmark_end_paragraph(writer);
            break;
        }
        default:
            add_inline(writer);
            commonmark_end_paragraph(writer);
        }
    }
}

/* ---- what is compared ---- */

enum { QUOTE_IN = 1, QUOTE_OUT, ITEM_IN, NUMBERED_IN }; /* in a view of plain text */

struct view {
    struct strbuf out;
    bool is_plain; /* only what the text part carries */
    bool is_sent;  /* with what it makes of links and pictures */
    size_t link_start;
};

static void on_enter(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct view *view = ctx;
    if (view->is_plain) {
        if (node == MARKDOWN_QUOTE || node == MARKDOWN_ITEM)
            strbuf_add_char(&view->out, node == MARKDOWN_QUOTE ? QUOTE_IN : ITEM_IN);
        if (node == MARKDOWN_NUMBERS)
            strbuf_add_fmt(&view->out, "%c%u", NUMBERED_IN, detail->number);
        if (node == MARKDOWN_IMAGE && view->is_sent)
            strbuf_add_str(&view->out, "[image: ");
        if (node == MARKDOWN_LINK)
            view->link_start = view->out.len;
        return;
    }
    strbuf_add_fmt(&view->out, "(%d:", (int)node);
    if (node == MARKDOWN_LINK || node == MARKDOWN_IMAGE)
        strbuf_add_fmt(&view->out, "%s:", detail->url);
    if (node == MARKDOWN_HEADING || node == MARKDOWN_NUMBERS)
        strbuf_add_fmt(&view->out, "%u:", detail->number);
}

static void on_leave(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct view *view = ctx;
    if (!view->is_plain) {
        while (node == MARKDOWN_CODE_BLOCK && view->out.len > 0 && view->out.data[view->out.len - 1] == '\n')
            strbuf_truncate(&view->out, view->out.len - 1);
        strbuf_add_char(&view->out, ')');
    } else if (node == MARKDOWN_QUOTE) {
        strbuf_add_char(&view->out, QUOTE_OUT);
    } else if (node == MARKDOWN_IMAGE && view->is_sent) {
        strbuf_add_fmt(&view->out, " (%s)]", detail->url + strlen("this_u:"));
    } else if (node == MARKDOWN_LINK && view->is_sent && strcmp(view->out.data + view->link_start, detail->url) != 0) {
        strbuf_add_fmt(&view->out, " <%s>", detail->url);
    }
}

static void on_text(void *ctx, const char *text, size_t len)
{
    struct view *view = ctx;
    for (size_t i = 0; i < len; i++) {
        if (view->is_plain && len - i > 1 && memcmp(text + i, "\xC2\xA0", 2) == 0)
            i++; /* a blank that keeps "1." from becoming a list */
        else if (!view->is_plain || !strchr(" \n*_~`|-=+", text[i]))
            strbuf_add_char(&view->out, text[i]);
    }
}

static void on_break(void *ctx)
{
    on_text(ctx, "\n", 1);
}

static char *view_of(const char *body, size_t len, bool is_plain, bool is_sent)
{
    struct view view = { .is_plain = is_plain, .is_sent = is_sent };
    strbuf_init(&view.out, MAX);
    const struct markdown_events events = { on_enter, on_leave, on_text, on_break, &view.out };
    assert_int_equal(markdown_parse(body, len, NULL, &events, &view), 1);
    if (!is_plain)
        return strbuf_detach(&view.out);
    struct strbuf plain; /* what was added without on_text() */
    strbuf_init(&plain, MAX);
    for (size_t i = 0; i < view.out.len; i++) {
        if (!strchr(" *_~`|-=+", view.out.data[i]))
            strbuf_add_char(&plain, view.out.data[i]);
    }
    strbuf_free(&view.out);
    return strbuf_detach(&plain);
}

/* ---- there and back ---- */

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static const char png[] = "\x89PNG\r\n\x1A\n.\r\nnot much of a picture";
static const char file[] = "a,b\n1,2\n";

/* The mail that leaves, and what becomes of it here; the content is the caller's. */
static struct convert_in_message there_and_back(const char *body, enum convert_body_choice choice,
                                                struct strbuf *content_out)
{
    struct strbuf content, mail, detail;
    const struct convert_out_attachment attachments[] = { { "u:a.png", sizeof png - 1 },
                                                          { "u:list.csv", sizeof file - 1 } };
    strbuf_init(&content, MAX);
    strbuf_add_str(&content, body);
    strbuf_add(&content, png, sizeof png - 1);
    strbuf_add(&content, file, sizeof file - 1);
    const struct convert_out_job job = {
        .content = content.data,
        .body_size = strlen(body),
        .attachments = attachments,
        .attachment_count = 2,
        .seed = 7,
    };
    strbuf_init(&mail, MAX);
    strbuf_init(&detail, 1000);
    strbuf_add_str(&mail, "From: Bob <bob@example.com>\r\nSubject: x\r\n");
    convert_mime_out(&job, collect, &mail, &detail);
    struct convert_in_message message;
    strbuf_init(content_out, MAX);
    struct convert_input input = convert_input_of(mail.data, mail.len);
    const struct convert_in_options options = { .body = choice };
    convert_mime_in(charsets, &input, &options, collect, content_out, &message);
    if (getenv("POSTERN_SHOW"))
        print_message("%s\n", mail.data);
    strbuf_free(&content);
    strbuf_free(&mail);
    strbuf_free(&detail);
    return message;
}

static void check_attachments(const struct convert_in_message *message, const struct strbuf *content)
{
    assert_int_equal(message->attachment_count, 2);
    const char *data = content->data + message->body_size;
    for (size_t i = 0; i < 2; i++) {
        bool is_png = strcmp(message->attachments[i].name, "u:a.png") == 0;
        assert_true(is_png || strcmp(message->attachments[i].name, "u:list.csv") == 0);
        assert_int_equal(message->attachments[i].size, is_png ? sizeof png - 1 : sizeof file - 1);
        assert_memory_equal(data, is_png ? png : file, (size_t)message->attachments[i].size);
        data += message->attachments[i].size;
    }
}

static char *make_body(void)
{
    struct strbuf body;
    strbuf_init(&body, MAX);
    struct commonmark_writer *writer = commonmark_writer_new(&body);
    add_blocks(writer, 6, 2);
    commonmark_add_text(writer, "Look: ", 6);
    commonmark_add_image(writer, "a gate", "this_u:a.png");
    commonmark_end_paragraph(writer);
    commonmark_writer_free(&writer);
    return strbuf_detach(&body);
}

static void run(enum convert_body_choice choice)
{
    const char *rounds = getenv("POSTERN_ROUNDS");
    const char *seed = getenv("POSTERN_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : 1;
    is_text_mode = choice == CONVERT_BODY_TEXT;
    for (unsigned long i = rounds ? strtoul(rounds, NULL, 10) : 300; i > 0; i--) {
        uint64_t round_seed = random_state;
        char *body = make_body();
        struct strbuf content;
        struct convert_in_message message = there_and_back(body, choice, &content);
        char *sent = view_of(body, strlen(body), is_text_mode, true);
        char *back = view_of(content.data, (size_t)message.body_size, is_text_mode, false);
        if (strcmp(sent, back) != 0)
            fail_msg("POSTERN_SEED=%llu:\n%s\n---- came back as\n%.*s\n%s\n%s\n", (unsigned long long)round_seed, body,
                     (int)message.body_size, content.data, sent, back);
        check_attachments(&message, &content);
        free(sent);
        free(back);
        free(body);
        convert_in_message_free(&message);
        strbuf_free(&content);
    }
}

static void test_html(void **state)
{
    (void)state;
    run(CONVERT_BODY_HTML);
}

static void test_text(void **state)
{
    (void)state;
    run(CONVERT_BODY_TEXT);
}

static int set_up(void **state)
{
    (void)state;
    charsets = convert_charsets_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    convert_charsets_free(&charsets);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
