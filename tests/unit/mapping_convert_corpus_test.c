/* Every mail of tests/corpora/in against what a member must see of it, and the thread messages of
 * tests/corpora/out against the mail that leaves. With POSTERN_WRITE_GOLDEN=PREFIX the exact texts of the files whose
 * names begin so are written anew, for a person to read. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/digest.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

#define MAIL_FOLDER   POSTERN_SOURCE_DIR "/tests/corpora/in"
#define THREAD_FOLDER POSTERN_SOURCE_DIR "/tests/corpora/out"

static struct convert_charsets *charsets;

static char *join(const char *folder, const char *name, const char *extension)
{
    struct strbuf path;
    strbuf_init(&path, 4096);
    strbuf_add_fmt(&path, "%s/%s%s", folder, name, extension);
    return strbuf_detach(&path);
}

static bool read_file(const char *path, struct strbuf *out)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return false;
    char piece[65536];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        strbuf_add(out, piece, n);
    fclose(file);
    return strbuf_ok(out);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the folder's files with this extension, without it, sorted. */
static size_t list(const char *folder, const char *extension, char *names_out[], size_t max)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        size_t end = strlen(extension);
        if (len > end && strcmp(entry->d_name + len - end, extension) == 0) {
            assert_true(count < max);
            names_out[count++] = xstrndup(entry->d_name, len - end);
        }
    }
    closedir(dir);
    qsort(names_out, count, sizeof *names_out, compare_names);
    return count;
}

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static unsigned complaints; /* in the whole run: one file's faults must not hide another's */

static void complain(const char *file, const char *what, const char *text)
{
    print_error("%s: %s: %s\n", file, what, text);
    complaints++;
}

static bool is_to_be_written(const char *name)
{
    const char *prefix = getenv("POSTERN_WRITE_GOLDEN");
    return prefix && strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Where two texts part: the line, and what is there instead. */
static void complain_difference(const char *file, const char *extension, const char *wanted, const char *text)
{
    struct strbuf where;
    strbuf_init(&where, 1000);
    size_t line = 1, start = 0;
    for (size_t i = 0; wanted[i] && wanted[i] == text[i]; i++) {
        if (wanted[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    strbuf_add_fmt(&where, "line %zu is \"%.*s\", not \"%.*s\"", line, (int)strcspn(text + start, "\n") % 300,
                   text + start, (int)strcspn(wanted + start, "\n") % 300, wanted + start);
    complain(file, extension, where.data);
    strbuf_free(&where);
}

/* The text must be exactly what NAME.extension holds. */
static void check_exactly(const char *folder, const char *name, const char *extension, const char *text)
{
    char *path = join(folder, name, extension);
    if (is_to_be_written(name)) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fwrite(text, 1, strlen(text), file) == strlen(text));
        assert_int_equal(fclose(file), 0);
    }
    struct strbuf wanted;
    strbuf_init(&wanted, (size_t)16 << 20);
    if (!read_file(path, &wanted))
        complain(name, "cannot be read", path);
    else if (strcmp(wanted.data, text) != 0)
        complain_difference(name, extension, wanted.data, text);
    strbuf_free(&wanted);
    free(path);
}

static void check_text(const char *file, const json_t *expect, const char *key, const char *text)
{
    const char *wanted = json_string_value(json_object_get(expect, key));
    if (wanted && strcmp(wanted, text) != 0)
        complain(file, key, text);
}

static void check_contains(const char *file, const json_t *texts, const char *where, bool wanted)
{
    size_t i;
    json_t *text;
    json_array_foreach(texts, i, text)
    {
        if ((strstr(where, json_string_value(text)) != NULL) != wanted)
            complain(file, wanted ? "lacks" : "contains", json_string_value(text));
    }
}

static void check_attachment(const char *file, const json_t *expect, const struct convert_in_message *message,
                             const char *content)
{
    const char *name = json_string_value(json_object_get(expect, "name"));
    const json_t *size = json_object_get(expect, "size");
    const char *sha256 = json_string_value(json_object_get(expect, "sha256"));
    const char *data = content + message->body_size;
    for (size_t i = 0; i < message->attachment_count; data += message->attachments[i++].size) {
        if (strcmp(message->attachments[i].name + 2, name) != 0)
            continue;
        uint8_t sum[DIGEST_SIZE];
        char hex[DIGEST_HEX_SIZE];
        struct digest *digest = digest_new();
        digest_add(digest, data, (size_t)message->attachments[i].size);
        digest_finish(&digest, sum);
        digest_to_hex(sum, hex);
        if (size && json_integer_value(size) != message->attachments[i].size)
            complain(file, "has another size", name);
        else if (sha256 && strcmp(sha256, hex) != 0)
            complain(file, "has other bytes", name);
        return;
    }
    complain(file, "is not attached", name);
}

enum { KNOWN_MAX = 8 };

/* What the daemon would say of the mail. */
static struct convert_in_options read_options(const json_t *given, const char *known[static KNOWN_MAX])
{
    const char *body = json_string_value(json_object_get(given, "body"));
    const char *history = json_string_value(json_object_get(given, "history"));
    const json_t *addresses = json_object_get(given, "known");
    size_t i;
    json_t *address;
    size_t count = 1 + json_array_size(addresses);
    assert_true(count <= KNOWN_MAX);
    known[0] = "alice@silo.example.org"; /* the member whom all of them are for */
    json_array_foreach(addresses, i, address) known[1 + i] = json_string_value(address);
    return (struct convert_in_options){
        .is_automatic = json_is_true(json_object_get(given, "automatic")),
        .body = !body                       ? CONVERT_BODY_AUTO
                : strcmp(body, "html") == 0 ? CONVERT_BODY_HTML
                                            : CONVERT_BODY_TEXT,
        .history = history && strcmp(history, "keep") == 0 ? CONVERT_HISTORY_KEEP : CONVERT_HISTORY_FOLD,
        .known = known,
        .known_count = count,
        .names_others = !json_is_false(json_object_get(given, "others")),
    };
}

static void check_mail(const char *name, const struct strbuf *mail, const json_t *expect)
{
    struct convert_in_message message;
    struct strbuf content;
    strbuf_init(&content, (size_t)256 << 20);
    struct convert_input input = convert_input_of(mail->data, mail->len);
    const char *known[KNOWN_MAX];
    const struct convert_in_options options = read_options(json_object_get(expect, "options"), known);
    convert_mime_in(charsets, &input, &options, collect, &content, &message);
    char *body = xstrndup(content.data, (size_t)message.body_size);
    check_text(name, expect, "subject", message.subject);
    check_text(name, expect, "from_name", message.from_name);
    check_contains(name, json_object_get(expect, "body_contains"), body, true);
    check_contains(name, json_object_get(expect, "body_lacks"), body, false);
    check_exactly(MAIL_FOLDER, name, ".md", body);
    const json_t *attachments = json_object_get(expect, "attachments");
    size_t i;
    json_t *attachment;
    json_array_foreach(attachments, i, attachment) check_attachment(name, attachment, &message, content.data);
    if (json_is_true(json_object_get(expect, "no_other_attachments")) &&
        json_array_size(attachments) != message.attachment_count)
        complain(name, "attachments", "there are others");
    if (message.is_fallback && !json_is_true(json_object_get(expect, "fallback")))
        complain(name, "was not converted", message.detail);
    if (!convert_utf8_is_valid(body, strlen(body)) || strlen(body) != (size_t)message.body_size)
        complain(name, "body", "is no text");
    free(body);
    strbuf_free(&content);
    convert_in_message_free(&message);
}

/* Loads NAME.expect and the file beside it; NULL with a complaint when one is missing. */
static json_t *load_pair(const char *folder, const char *name, const char *extension, struct strbuf *content)
{
    char *content_path = join(folder, name, extension);
    char *expect_path = join(folder, name, ".expect");
    json_error_t error;
    json_t *expect = json_load_file(expect_path, JSON_REJECT_DUPLICATES, &error);
    strbuf_init(content, (size_t)64 << 20);
    if (!expect)
        complain(name, "no expectation", error.text);
    else if (!read_file(content_path, content))
        complain(name, "cannot be read", content_path);
    free(content_path);
    free(expect_path);
    return expect;
}

enum { FILES_MAX = 2000 };

static void test_mail(void **state)
{
    (void)state;
    char *names[FILES_MAX];
    size_t count = list(MAIL_FOLDER, ".eml", names, FILES_MAX);
    assert_true(count > 0);
    complaints = 0;
    for (size_t i = 0; i < count; i++) {
        struct strbuf mail;
        json_t *expect = load_pair(MAIL_FOLDER, names[i], ".eml", &mail);
        if (expect)
            check_mail(names[i], &mail, expect);
        json_decref(expect);
        strbuf_free(&mail);
        free(names[i]);
    }
    print_message("%zu mails\n", count);
    assert_int_equal(complaints, 0);
}

/* The text or HTML part of a mail, decoded, with LF line ends. The caller's. */
static char *part_of(const char *mail, const char *type)
{
    struct strbuf decoded, text;
    strbuf_init(&decoded, (size_t)64 << 20);
    strbuf_init(&text, (size_t)64 << 20);
    const char *header = strstr(mail, type);
    if (!header)
        return strbuf_detach(&decoded);
    const char *encoding = strstr(header, "Content-Transfer-Encoding: ") + strlen("Content-Transfer-Encoding: ");
    const char *start = strstr(header, "\r\n\r\n") + 4, *end = strstr(start, "\r\n--=_");
    char *label = xstrndup(encoding, strcspn(encoding, "\r"));
    size_t len = end ? (size_t)(end - start) : strlen(start);
    convert_transfer_decode(convert_transfer_from_label(label), start, len, NULL, collect, &decoded);
    for (size_t i = 0; i < decoded.len; i++) {
        if (decoded.data[i] != '\r')
            strbuf_add_char(&text, decoded.data[i]);
    }
    free(label);
    strbuf_free(&decoded);
    return strbuf_detach(&text);
}

static void check_renderings(const char *name, const char *mail, const json_t *expect)
{
    char *text = part_of(mail, "Content-Type: text/plain; charset=utf-8; format=flowed\r\n");
    char *html = part_of(mail, "Content-Type: text/html; charset=utf-8\r\n");
    check_contains(name, json_object_get(expect, "text_contains"), text, true);
    check_contains(name, json_object_get(expect, "text_lacks"), text, false);
    check_contains(name, json_object_get(expect, "html_contains"), html, true);
    check_contains(name, json_object_get(expect, "html_lacks"), html, false);
    check_exactly(THREAD_FOLDER, name, ".txt", text);
    check_exactly(THREAD_FOLDER, name, ".html", html);
    free(text);
    free(html);
}

/* Just a name: it serves as the bytes too. */
static void add_given(const json_t *given, struct convert_out_attachment *attachment, struct strbuf *content)
{
    const char *name = json_string_value(json_is_object(given) ? json_object_get(given, "name") : given);
    const char *text = json_string_value(json_object_get(given, "text"));
    const char *base64 = json_string_value(json_object_get(given, "base64"));
    size_t before = content->len;
    if (base64)
        convert_transfer_decode(CONVERT_TRANSFER_BASE64, base64, strlen(base64), NULL, collect, content);
    else
        strbuf_add_str(content, text ? text : name);
    *attachment = (struct convert_out_attachment){ .name = name,
                                                   .size = content->len - before,
                                                   .ffn = json_string_value(json_object_get(given, "ffn")) };
}

static void check_thread_message(const char *name, const struct strbuf *body, const json_t *expect)
{
    enum { ATTACHED_MAX = 16 };
    struct convert_out_attachment attachments[ATTACHED_MAX];
    const json_t *given = json_object_get(expect, "attachments");
    const json_t *answered = json_object_get(expect, "answered");
    size_t count = json_array_size(given);
    assert_true(count <= ATTACHED_MAX);
    struct strbuf content, mail, detail;
    strbuf_init(&content, (size_t)16 << 20);
    strbuf_init(&mail, (size_t)64 << 20);
    strbuf_init(&detail, 10000);
    strbuf_add(&content, body->data, body->len);
    for (size_t i = 0; i < count; i++)
        add_given(json_array_get(given, i), &attachments[i], &content);
    const struct convert_out_job job = {
        .content = content.data,
        .body_size = body->len,
        .attachments = attachments,
        .attachment_count = count,
        .answered_intro = json_string_value(json_object_get(answered, "intro")),
        .answered_text = json_string_value(json_object_get(answered, "text")),
        .seed = 1,
    };
    convert_mime_out(&job, collect, &mail, &detail);
    check_renderings(name, mail.data, expect);
    check_contains(name, json_object_get(expect, "mail_contains"), mail.data, true);
    check_contains(name, json_object_get(expect, "mail_lacks"), mail.data, false);
    check_contains(name, json_object_get(expect, "detail_contains"), detail.data, true);
    strbuf_free(&content);
    strbuf_free(&mail);
    strbuf_free(&detail);
}

static void test_thread_messages(void **state)
{
    (void)state;
    char *names[FILES_MAX];
    size_t count = list(THREAD_FOLDER, ".body", names, FILES_MAX);
    assert_true(count > 0);
    complaints = 0;
    for (size_t i = 0; i < count; i++) {
        struct strbuf body;
        json_t *expect = load_pair(THREAD_FOLDER, names[i], ".body", &body);
        if (expect)
            check_thread_message(names[i], &body, expect);
        json_decref(expect);
        strbuf_free(&body);
        free(names[i]);
    }
    assert_int_equal(complaints, 0);
}

int main(void)
{
    charsets = convert_charsets_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_thread_messages),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    convert_charsets_free(&charsets);
    return failed;
}
