/* What a mail's structure is read from: files in texts, people in To and Cc, the words of two forms of a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_address_list.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_inline_file.h"
#include "mapping/convert_inline_mail.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_types.h"
#include "mapping/convert_words.h"

static struct convert_charsets *charsets;

/* ---- files in a text ---- */

#define UU_ABC "begin 644 a.txt\n#86)C\n`\nend\n"

static void test_files_in_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *content; /* name NULL: there is none */
        size_t offset;
    } rows[] = {
        { UU_ABC, "a.txt", "abc", 0 },
        { "Hello\n\n" UU_ABC "Bob\n", "a.txt", "abc", 7 },
        { "begin 0755 two words\r\n#86)C\r\n`\r\nend\r\n", "two words", "abc", 0 },
        { "begin 644 a\n#86)C\nend\n", "a", "abc", 0 },               /* without the line of no octets */
        { "begin 644 a\n#86)C \n`\nend\n", "a", "abc", 0 },           /* with one more character, a check sum */
        { "begin 644 a\nbegin 644 b\n#86)C\nend\n", "b", "abc", 12 }, /* the first one is text */
        { "begin 644 a\n#86)C\n`\n", NULL, NULL, 0 },                 /* no end */
        { "begin 644 a\nA letter of somebody\nend\n", NULL, NULL, 0 },
        { "begin 644\n#86)C\n`\nend\n", "", "abc", 0 }, /* without a name */
        { "begin 644 \n#86)C\n`\nend\n", "", "abc", 0 },
        { "begin 644\nA letter of somebody\nend\n", NULL, NULL, 0 },
        { "begin 6444 x\n", NULL, NULL, 0 },
        { "begin 9 a\n#86)C\n`\nend\n", NULL, NULL, 0 },
        { " begin 644 a\n#86)C\n`\nend\n", NULL, NULL, 0 },
        { "begin 644 a\nend\n", NULL, NULL, 0 },
        { "=ybegin line=128 size=3 name=a b.bin\r\n\x8B\x8C\x8D\r\n=yend size=3\r\n", "a b.bin", "abc", 0 },
        { "=ybegin line=128 size=3 name=a\n\x8B=\xCC\x8D\n=yend size=3\n", "a", "abc", 0 }, /* escaped */
        { "=ybegin part=1 total=2 line=128 size=6 name=a\n=ypart begin=1 end=3\n\x8B\x8C\x8D\n=yend size=3 part=1\n",
          "a", "abc", 0 },
        { "=ybegin line=128 size=3 name=a\n\x8B\x8C\x8D\n", NULL, NULL, 0 },
        { "=ybegin is how it begins\n=yend \n", NULL, NULL, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct convert_inline_file file;
        size_t len = strlen(rows[i].text);
        bool is_found = convert_inline_file_find(rows[i].text, len, 0, &file);
        assert_int_equal(is_found, rows[i].name != NULL);
        if (!is_found)
            continue;
        struct strbuf bytes;
        strbuf_init(&bytes, len);
        assert_true(convert_inline_file_decode(rows[i].text, &file, &bytes));
        assert_string_equal(bytes.data, rows[i].content);
        assert_int_equal(file.offset, rows[i].offset);
        assert_int_equal(file.name_len, strlen(rows[i].name));
        assert_memory_equal(rows[i].text + file.name, rows[i].name, file.name_len);
        assert_int_equal(file.is_partial, strstr(rows[i].text, "part=1 total") != NULL);
        strbuf_free(&bytes);
    }
}

static void test_file_behind_file(void **state)
{
    (void)state;
    static const char text[] = UU_ABC UU_ABC;
    struct convert_inline_file file;
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        assert_true(convert_inline_file_find(text, sizeof text - 1, at, &file));
        at = file.offset + file.len;
    }
    assert_int_equal(at, sizeof text - 1);
    assert_false(convert_inline_file_find(text, sizeof text - 1, at, &file));
}

/* Short lines stand for many octets: what is decoded is bounded by what was there. */
static void test_file_that_would_grow(void **state)
{
    (void)state;
    static const char text[] = "begin 644 a\n_!\n_!\n_!\n_!\nend\n";
    struct convert_inline_file file;
    struct strbuf bytes;
    assert_true(convert_inline_file_find(text, sizeof text - 1, 0, &file));
    strbuf_init(&bytes, file.content_len + 1);
    assert_false(convert_inline_file_decode(text, &file, &bytes));
    strbuf_free(&bytes);
}

/* ---- a mail in a text ---- */

#define MAIL "Received: from a by b;\n\ttoday\nFrom: a@example.com\nSubject: S\n\nText\n"

static void test_mail_in_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int offset; /* -1: none */
    } rows[] = {
        { "Failed.\n--- Below\n" MAIL, 18 },
        { "Failed.\r\n----- Original -----\r\n\r\n" MAIL, 33 },
        { "This is the message:\n\nFrom a Tue Mar  3\n" MAIL, 22 }, /* with the line of an mbox file */
        { "Intestazioni originali:\n" MAIL, 24 },
        { "--- Below\nReceived: from a (via\nHTTP);\nFrom: a@example.com\nSubject: S\n", 10 }, /* broken */
        { "--- Below\nA: b\n\n--- Below\n" MAIL, 26 },
        { MAIL, -1 },
        { "Failed.\n\n" MAIL, -1 },
        { "Begin forwarded message:\n\n" MAIL, -1 },
        { "--- Below\nFrom: a@example.com\nDate: today\nSubject: S\n\nText\n", -1 }, /* people show that */
        { "--- Below\nReceived: from a by b\n\nFrom: a\n", -1 },
        { "", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t offset = 0;
        bool is_found = convert_inline_mail_find(rows[i].text, strlen(rows[i].text), &offset);
        assert_int_equal(is_found ? (int)offset : -1, rows[i].offset);
    }
}

/* ---- people ---- */

static void add_person(const char *name, const struct smtp_address *address, void *ctx)
{
    char text[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(address, text);
    strbuf_add_fmt(ctx, "%s|%s\n", name, text);
}

static void test_people(void **state)
{
    (void)state;
    static const struct {
        const char *value, *people;
    } rows[] = {
        { "", "" },
        { "a@b.example", "|a@b.example\n" },
        { " <a@b.example> ", "|a@b.example\n" },
        { "Bob <a@b.example>, c@d.example", "Bob|a@b.example\n|c@d.example\n" },
        { "\"Stone, C.\" <a@b.example>", "Stone, C.|a@b.example\n" },
        { "\"a \\\"b\\\" c\" <a@b.example>", "a \"b\" c|a@b.example\n" },
        { "a@b.example (Bob (the builder))", "Bob (the builder)|a@b.example\n" },
        { "(Bob) a@b.example", "Bob|a@b.example\n" },
        { "Bob (not Rob) <a@b.example>", "Bob|a@b.example\n" },
        { "=?utf-8?Q?J=C3=BC?= =?utf-8?Q?rgen?= <a@b.example>", "Jürgen|a@b.example\n" },
        { "Group: a@b.example, C <c@d.example>;, e@f.example", "|a@b.example\nC|c@d.example\n|e@f.example\n" },
        { "undisclosed-recipients:;", "" },
        { "<@relay.example,@other.example:a@b.example>", "|a@b.example\n" },
        { "a@b.example; c@d.example", "|a@b.example\n|c@d.example\n" },
        { "a @ b.example", "|a@b.example\n" },
        { "\"quoted local\"@b.example", "|\"quoted local\"@b.example\n" },
        { "Bob", "" },
        { "Bob <>", "" },
        { "Bob <a@b.example", "Bob|a@b.example\n" },
        { "<a@b.example> <c@d.example>", "|a@b.example\n|c@d.example\n" },
        { "Bob <a@b.example>\r\n ,\r\n\tCarol\r\n <c@d.example>", "Bob|a@b.example\nCarol|c@d.example\n" },
        { "\"", "" },
        { "(", "" },
        { ",,;,", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf people;
        const struct convert_field field = { .value = rows[i].value, .value_len = strlen(rows[i].value) };
        strbuf_init(&people, 10000);
        convert_address_list_read(charsets, &field, add_person, &people);
        assert_string_equal(people.data, rows[i].people);
        strbuf_free(&people);
    }
}

/* ---- words ---- */

static size_t missing(const char *text, const char *other)
{
    struct convert_words words, others;
    convert_words_read(text, strlen(text), &words);
    convert_words_read(other, strlen(other), &others);
    size_t count = convert_words_missing(&words, &others);
    convert_words_free(&words);
    convert_words_free(&others);
    return count;
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *other;
        size_t missing;
    } rows[] = {
        { "", "", 0 },
        { "one two three", "Three, TWO! (one)", 0 },
        { "one two three", "one", 2 },
        { "one one one", "", 1 },
        { "see https://example.com/a/b?c=d or <mailto:a@b.example>", "see or", 0 }, /* what HTML hides */
        { "Ärger in KÖLN", "ärger in kÖln", 1 },                                    /* case of ASCII only */
        { "门什么时候到", "门什么", 3 },                                            /* words of one character */
        { "a\xC2\xA0"
          "b",
          "a b", 0 },
        { "\xFF\xFE", "", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(missing(rows[i].text, rows[i].other), rows[i].missing);
}

/* Of a text with more words than are compared, those that are count; nobody knows what it lacks. */
static void test_very_many_words(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i <= CONVERT_WORDS_MAX; i++)
        strbuf_add_fmt(&text, "w%d ", i);
    assert_int_equal(missing(text.data, "w1 w2"), CONVERT_WORDS_MAX - 2);
    assert_int_equal(missing("one two", text.data), 0);
    strbuf_free(&text);
}

/* ---- kinds of files ---- */

static void test_first_octets(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t len;
        const char *extension; /* NULL */
        bool is_binary;
    } rows[] = {
        { "%PDF-1.7\n", 9, "pdf", true },
        { "\x89PNG\r\n\x1A\n....", 12, "png", true },
        { "RIFF....WEBPVP8 ", 16, "webp", true },
        { "....ftypheic", 12, "heic", true },
        { "begin:vcalendar\r\n", 17, "ics", false },
        { "<!doctype HTML>", 15, "html", false },
        { "Hello", 5, NULL, false },
        { "", 0, NULL, false },
        { "\0\0\0\0\0\0\0\1", 8, NULL, true },
        { "A text with one\0NUL in it", 25, NULL, false },
        { "\x1B$B%F%9%H\x1B(B", 12, NULL, false }, /* ISO-2022-JP */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *extension = convert_type_sniff(rows[i].octets, rows[i].len);
        assert_int_equal(extension != NULL, rows[i].extension != NULL);
        if (extension)
            assert_string_equal(extension, rows[i].extension);
        assert_int_equal(convert_type_is_binary(rows[i].octets, rows[i].len), rows[i].is_binary);
    }
}

/* ---- where headers end ---- */

static void test_header_ends(void **state)
{
    (void)state;
    static const struct {
        const char *mail;
        size_t len, content;
    } rows[] = {
        { "A: b\r\n\r\nx", 6, 8 },
        { "A: b\n\nx", 5, 6 },
        { "A: b\r\n c\r\n\r\nx", 10, 12 },
        { "A: b\r\nNo field, no empty line\r\nx", 6, 6 },
        { "A: b\r\njunk\r\nSubject: x\r\n\r\ny", 24, 26 },      /* goes on */
        { "A: b\r\njunk\r\n--b\r\nSubject: x\r\n\r\ny", 6, 6 }, /* a part begins */
        { "A: b\r\njunk\r\nB: c\r\n\r\ny", 6, 6 },              /* a text with a colon in it */
        { "From bob Mon\r\nA: b\r\n\r\nx", 20, 22 },
        { ">From bob Mon\r\nA: b\r\n\r\nx", 21, 23 },
        { "From here on it is text\r\nwithout fields", 0, 0 },
        { "text", 0, 0 },
        { "\r\ntext", 0, 2 },
        { "A: b", 4, 4 },
        { "A: b\r\n \r\ntext", 9, 9 }, /* a line of blanks belongs to the field, what follows to none */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t content;
        assert_int_equal(convert_mime_header_len(rows[i].mail, strlen(rows[i].mail), &content), rows[i].len);
        assert_int_equal(content, rows[i].content);
    }
}

/* ---- what becomes of parts ---- */

#define ALTERNATIVE "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
#define PLAIN       "--b\r\nContent-Type: text/plain\r\n\r\n"
#define HTML        "--b\r\nContent-Type: text/html\r\n\r\n"

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* The body, which is the caller's; the name of the one attachment in *name_out. */
static char *convert(const struct strbuf *mail, char **name_out)
{
    struct convert_in_message message;
    struct convert_input input = convert_input_of(mail->data, mail->len);
    struct strbuf content;
    strbuf_init(&content, mail->len * 3 + CONVERT_BODY_MAX);
    convert_mime_in(charsets, &input, &(struct convert_in_options){ .is_automatic = false }, add_to_strbuf, &content,
                    &message);
    char *body = xstrndup(content.data, (size_t)message.body_size);
    assert_int_equal(message.attachment_count, 1);
    *name_out = xstrdup(message.attachments[0].name);
    convert_in_message_free(&message);
    strbuf_free(&content);
    return body;
}

/* A form that is too long to be read, or a further one, is not taken for the same text: it is attached, and the other
 * one shown. */
static void test_form_that_is_too_long(void **state)
{
    (void)state;
    static const struct {
        const char *before, *body, *attachment;
        size_t size;
    } rows[] = {
        { ALTERNATIVE PLAIN "See the pictures\r\n" HTML "<b>x</b>", "See the pictures\n", "u:message.html",
          CONVERT_HTML_MAX },
        { ALTERNATIVE PLAIN "Another text, and in other words\r\n" PLAIN "the same\r\n" HTML "the <b>same</b>\r\n",
          "the **same**\n", "u:message.txt", 0 },
        { ALTERNATIVE HTML "<b>short</b> one\r\n" PLAIN, "**short** one\n", "u:message.txt", CONVERT_TEXT_MAX },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf mail;
        char *name;
        strbuf_init(&mail, (size_t)32 << 20);
        strbuf_add_str(&mail, rows[i].before);
        while (rows[i].size > 0 && mail.len <= rows[i].size + 1000)
            strbuf_add_str(&mail, "seventy words of which nobody else knows anything at all, one by one\r\n");
        strbuf_add_str(&mail, "--b--\r\n");
        char *body = convert(&mail, &name);
        assert_int_equal(strncmp(body, rows[i].body, strlen(rows[i].body)), 0);
        assert_string_equal(name, rows[i].attachment);
        free(name);
        free(body);
        strbuf_free(&mail);
    }
}

/* A card is no form of the text, wherever it stands. */
static void test_card_beside_a_form(void **state)
{
    (void)state;
    static const char card[] = "Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\nFN:Bob\r\nEND:VCARD\r\n";
    struct strbuf mail;
    char *name;
    strbuf_init(&mail, 1000);
    strbuf_add_fmt(&mail, "%s%s%s--b\r\n%s--b--\r\n", ALTERNATIVE, PLAIN "Hello\r\n", HTML "Hello\r\n", card);
    char *body = convert(&mail, &name);
    assert_int_equal(strncmp(body, "Hello\n", 6), 0);
    assert_non_null(strstr(name, ".vcf"));
    free(name);
    free(body);
    strbuf_free(&mail);
}

/* However its fields are written. */
static void test_broken_parts_are_not_shown_raw(void **state)
{
    (void)state;
    static const char *const contents[] = { "Content-Type: text/plain\r\n\r\nHello\r\n",
                                            "x\r\nCONTENT-TRANSFER-ENCODING: base64\r\n\r\nSGVsbG8=\r\n" };
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        struct strbuf mail;
        char *name;
        strbuf_init(&mail, 1000);
        strbuf_add_fmt(&mail, "Content-Type: multipart/mixed; boundary=b\r\n\r\n%s", contents[i]);
        char *body = convert(&mail, &name);
        assert_null(strcasestr(body, "Content-"));
        assert_string_equal(name, CONVERT_ORIGINAL_NAME);
        free(name);
        free(body);
        strbuf_free(&mail);
    }
}

int main(void)
{
    charsets = convert_charsets_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_in_texts),
        cmocka_unit_test(test_file_behind_file),
        cmocka_unit_test(test_mail_in_text),
        cmocka_unit_test(test_file_that_would_grow),
        cmocka_unit_test(test_people),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_very_many_words),
        cmocka_unit_test(test_first_octets),
        cmocka_unit_test(test_header_ends),
        cmocka_unit_test(test_form_that_is_too_long),
        cmocka_unit_test(test_card_beside_a_form),
        cmocka_unit_test(test_broken_parts_are_not_shown_raw),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    convert_charsets_free(&charsets);
    return failed;
}
