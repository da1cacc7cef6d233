/* Thread message -> mail -> thread message: text, structure and attachments are kept.
 *
 * Messages are made at random of the constructs that people use. Read back by its HTML, a message must look the same; read back by
 * its plain text, it must have the same words in the same order; and each attachment must have its name and bytes.
 * POSTERN_SEED repeats a run, POSTERN_ROUNDS says how many messages (300). */
#include <ctype.h>
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
#include "mapping/convert_input.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"

enum { ATTACHMENTS_MAX = 4, ROOM = 4 * 1024 * 1024 };

static struct convert_charsets *charsets;
static uint64_t random_state;

static uint64_t pick(uint64_t below)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (random_state >> 33) % below;
}

#define PICK(TEXTS) ((TEXTS)[pick(sizeof(TEXTS) / sizeof *(TEXTS))])

/* ---- what people write ---- */

static const char *const words[] = {
    "gate",       "the",    "oak",
    "of",         "wide",   "größe",
    "門の図面",   "ворота", "Äpfel",
    "2026",       "92",     "and",
    "a",          "I",      "e.g.",
    "C:\\\\x",    "1\\.",   "5 \\* 3",
    "snake_case", "\\# no", "&lt;b&gt;",
    "AT&T",       "\"so\"", "(yes)",
    "x < y",      "שער",    "x\\|y",
    "don't",      "50%",    "=2E",
    "From",       "café",   "measurements-of-everything-that-there-is",
};

static const char *const spans[] = {
    "*wide*",
    "**solid**",
    "~~gone~~",
    "`x = y`",
    "`a b`",
    "[our page](https://www.example.com/a?b=c&d=e)",
    "<https://www.example.com/x_y_z>",
    "<alice@example.org>",
    "*some **strong** in it*",
    "**very *deep* down**",
    "[**bold** link](https://www.example.com/)",
    "![the gate](this_u:gate.png)",
};

static void add_words(struct strbuf *out, unsigned most)
{
    unsigned count = 1 + (unsigned)pick(most);
    strbuf_add_str(out, "word"); /* spans stand between words: two beside each other may join */
    for (unsigned i = 0; i < count; i++) {
        bool is_span = pick(6) == 0;
        strbuf_add_fmt(out, " %s", is_span ? PICK(spans) : PICK(words));
        if (is_span)
            strbuf_add_str(out, " then");
    }
}

static void add_indent(struct strbuf *out, const char *before)
{
    strbuf_add_str(out, before);
}

/* Lines of one paragraph. */
static void add_paragraph(struct strbuf *out, const char *before)
{
    for (uint64_t lines = 1 + pick(3); lines > 0; lines--) {
        add_words(out, 25);
        strbuf_add_char(out, '\n');
        if (lines > 1)
            add_indent(out, before);
    }
}

static char *deeper(const char *before, const char *more)
{
    struct strbuf joined;
    strbuf_init(&joined, 1000);
    strbuf_add_fmt(&joined, "%s%s", before, more);
    return strbuf_detach(&joined);
}

static void add_blocks(struct strbuf *out, const char *before, unsigned depth);

static void add_list(struct strbuf *out, const char *before, unsigned depth)
{
    bool is_numbered = pick(2) == 0;
    uint64_t number = depth == 0 && pick(3) == 0 ? 7 : 1, count = 2 + pick(3);
    char *inner = deeper(before, is_numbered ? "   " : "  ");
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0)
            add_indent(out, before);
        if (is_numbered)
            strbuf_add_fmt(out, "%u. ", (unsigned)(number + i));
        else
            strbuf_add_str(out, "- ");
        add_words(out, 12);
        strbuf_add_char(out, '\n');
        if (depth < 3 && pick(4) == 0) {
            add_indent(out, inner);
            add_list(out, inner, depth + 1);
        }
    }
    free(inner);
}

static void add_table(struct strbuf *out, const char *before)
{
    uint64_t columns = 2 + pick(3), rows = 1 + pick(4);
    for (uint64_t row = 0; row < rows + 2; row++) {
        if (row > 0)
            add_indent(out, before);
        strbuf_add_char(out, '|');
        for (uint64_t i = 0; i < columns; i++)
            strbuf_add_fmt(out, "%s|", row == 1 ? "---" : PICK(words));
        strbuf_add_char(out, '\n');
    }
}

static void add_code(struct strbuf *out, const char *before)
{
    static const char *const lines[] = { "int main(void)", "{", "    return 0; // *not* [a](link)", "}", "<b>",
                                         "  &amp;",        "\\" };
    strbuf_add_str(out, "```\n");
    for (uint64_t count = 1 + pick(4); count > 0; count--)
        strbuf_add_fmt(out, "%s%s\n", before, PICK(lines));
    strbuf_add_fmt(out, "%s```\n", before);
}

static void add_block(struct strbuf *out, const char *before, unsigned depth)
{
    switch (pick(depth < 3 ? 10 : 7)) {
    case 0:
        add_list(out, before, depth);
        break;
    case 1:
        add_code(out, before);
        break;
    case 2:
        add_table(out, before);
        break;
    case 3:
        strbuf_add_fmt(out, "%.*s %s %s\n", 1 + (int)pick(4), "####", PICK(words), PICK(words)); /* all of it is bold */
        break;
    case 8:
    case 9: {
        char *inner = deeper(before, "> ");
        strbuf_add_str(out, "> ");
        add_blocks(out, inner, depth + 1);
        free(inner);
        break;
    }
    default:
        add_paragraph(out, before);
    }
}

/* Paragraphs stand between the others, which would join two lists or quotes. */
static void add_blocks(struct strbuf *out, const char *before, unsigned depth)
{
    for (uint64_t count = 1 + pick(depth == 0 ? 6 : 2); count > 0; count--) {
        add_paragraph(out, before);
        strbuf_add_fmt(out, "%s\n", before);
        add_indent(out, before);
        add_block(out, before, depth);
        strbuf_add_fmt(out, "%s\n", before);
        add_indent(out, before);
    }
    add_words(out, 5);
    strbuf_add_char(out, '\n');
}

/* ---- there and back ---- */

struct message {
    struct strbuf content;
    size_t body_size;
    struct convert_out_attachment attachments[ATTACHMENTS_MAX];
    size_t count;
};

static void add_attachment(struct message *message, const char *name, const char *data, size_t len)
{
    strbuf_add(&message->content, data, len);
    message->attachments[message->count++] = (struct convert_out_attachment){ .name = name, .size = len };
}

static void make_message(struct message *message)
{
    static const char *const names[] = { "u:plan.pdf",
                                         "u:Maße der Türen.csv",
                                         "u:門の図面、第二版、最終版、承認済みのもの、その他.txt",
                                         "u:a \"quoted\" name.bin",
                                         "u:README",
                                         "u:mail.eml" };
    static const char *const pieces[] = { "text\n", "\r\n",  " \n",  "\xFF\x00\x01", "größe;",
                                          "From ",  ".\r\n", "--=_", "=\n" };
    static const char png[] = "\x89PNG\r\n\x1A\n\0\0\0\rIHDR";
    strbuf_init(&message->content, ROOM);
    message->count = 0;
    add_blocks(&message->content, "", 0);
    message->body_size = message->content.len;
    add_attachment(message, "u:gate.png", png, sizeof png - 1);
    if (pick(2) == 0) {
        struct strbuf data;
        strbuf_init(&data, ROOM);
        for (uint64_t i = pick(200); i > 0; i--)
            strbuf_add_str(&data, PICK(pieces));
        add_attachment(message, PICK(names), data.data, data.len);
        strbuf_free(&data);
    }
}

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* The body that comes back, and all attachments as they were. The caller's. */
static char *carry(const struct message *message, enum convert_body_choice choice)
{
    struct strbuf mail, detail, back;
    strbuf_init(&mail, ROOM);
    strbuf_init(&detail, 10000);
    strbuf_init(&back, ROOM);
    const struct convert_out_job job = {
        .content = message->content.data,
        .body_size = message->body_size,
        .attachments = message->attachments,
        .attachment_count = message->count,
        .seed = 0x1234,
    };
    strbuf_add_str(&mail, "From: Bob <bob@example.com>\r\nSubject: Gate\r\n");
    convert_mime_out(&job, collect, &mail, &detail);
    assert_string_equal(detail.data, "");
    const struct convert_in_options options = { .body = choice };
    struct convert_in_message received;
    struct convert_input input = convert_input_of(mail.data, mail.len);
    convert_mime_in(charsets, &input, &options, collect, &back, &received);
    assert_string_equal(received.detail, choice == CONVERT_BODY_HTML ? "HTML shown" : "");
    assert_int_equal(received.attachment_count, message->count);
    size_t sent_at = message->body_size, back_at = (size_t)received.body_size;
    for (size_t i = 0; i < message->count; i++) {
        size_t size = message->attachments[i].size;
        assert_int_equal(received.attachments[i].size, size);
        if (!strchr(message->attachments[i].name, '"')) /* which Windows does not take in names */
            assert_string_equal(received.attachments[i].name, message->attachments[i].name);
        assert_memory_equal(back.data + back_at, message->content.data + sent_at, size);
        sent_at += size;
        back_at += size;
    }
    char *body = xstrndup(back.data, (size_t)received.body_size);
    convert_in_message_free(&received);
    strbuf_free(&mail);
    strbuf_free(&detail);
    strbuf_free(&back);
    return body;
}

static const char *find_image(const char *name, void *ctx)
{
    (void)ctx;
    return strcmp(name, "u:gate.png") == 0 ? "1@x" : NULL;
}

static char *look_of(const char *body, size_t len)
{
    struct strbuf html;
    strbuf_init(&html, ROOM);
    assert_int_equal(convert_markdown_to_html(&html, body, len, find_image, NULL), 1);
    return strbuf_detach(&html);
}

/* Letters and digits of the plain text; marks are what the reader makes of them. */
static char *words_of(const char *body, size_t len)
{
    struct strbuf text, kept;
    strbuf_init(&text, ROOM);
    strbuf_init(&kept, ROOM);
    assert_int_equal(convert_markdown_to_text(&text, body, len), 1);
    for (size_t i = 0; i < text.len; i++) {
        if (strncmp(text.data + i, "\xC2\xA0", 2) == 0) /* a blank, too */
            i++;
        else if (isalnum((unsigned char)text.data[i]) || (unsigned char)text.data[i] >= 0x80)
            strbuf_add_char(&kept, text.data[i]);
    }
    strbuf_free(&text);
    return strbuf_detach(&kept);
}

static bool is_kept(const struct message *message, enum convert_body_choice choice,
                    char *(*view)(const char *body, size_t len))
{
    char *back = carry(message, choice);
    char *sent = view(message->content.data, message->body_size), *seen = view(back, strlen(back));
    bool same = strcmp(sent, seen) == 0;
    if (!same) {
        size_t at = 0;
        while (sent[at] == seen[at])
            at++;
        at = at > 60 ? at - 60 : 0;
        fprintf(stderr, "written:\n%.*s\nread:\n%s\nis:  %.200s\nwas: %.200s\n", (int)message->body_size,
                message->content.data, back, seen + at, sent + at);
    }
    free(back);
    free(sent);
    free(seen);
    return same;
}

static void run(enum convert_body_choice choice, char *(*view)(const char *body, size_t len))
{
    const char *seed = getenv("POSTERN_SEED"), *wanted = getenv("POSTERN_ROUNDS");
    random_state = seed ? strtoull(seed, NULL, 10) : 1;
    unsigned long rounds = wanted ? strtoul(wanted, NULL, 10) : 300;
    for (unsigned long i = 0; i < rounds; i++) {
        uint64_t state = random_state;
        struct message message;
        make_message(&message);
        bool same = is_kept(&message, choice, view);
        strbuf_free(&message.content);
        if (!same)
            fail_msg("round %lu, POSTERN_SEED=%llu repeats it as the first", i, (unsigned long long)state);
    }
}

static void test_html_keeps_the_look(void **state)
{
    (void)state;
    run(CONVERT_BODY_HTML, look_of);
}

static void test_text_keeps_the_words(void **state)
{
    (void)state;
    run(CONVERT_BODY_TEXT, words_of);
}

int main(void)
{
    charsets = convert_charsets_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html_keeps_the_look),
        cmocka_unit_test(test_text_keeps_the_words),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    convert_charsets_free(&charsets);
    return failed;
}
