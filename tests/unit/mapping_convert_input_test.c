/* Large inputs: what lies across the windows in which they are read is found and decoded, and a mapped file needs
 * little memory, however large it is. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "base/tmpfile.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_memfile.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"
#include "mapping/convert_mime_scan.h"

static const size_t mebibyte = (size_t)1 << 20;

static struct convert_charsets *charsets;

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* ---- windows ---- */

static void test_found_across_windows(void **state)
{
    (void)state;
    static const char wanted[] = "\r\n--boundary";
    size_t len = 3 * (size_t)CONVERT_INPUT_WINDOW;
    char *data = xmalloc(len);
    memset(data, '-', len);
    struct convert_input input = convert_input_of(data, len);
    size_t n = strlen(wanted);
    for (size_t i = 0; i <= 2 * n; i++) {
        char *place = data + 2 * (size_t)CONVERT_INPUT_WINDOW - n - i;
        memcpy(place, wanted, n);
        assert_ptr_equal(convert_input_find(&input, data, data + len, wanted, n), place);
        assert_null(convert_input_find(&input, data, place + n - 1, wanted, n));
        memset(place, '-', n);
    }
    assert_null(convert_input_find(&input, data, data + len, wanted, n));
    assert_null(convert_input_find(&input, data, data, wanted, n));
    free(data);
}

/* A delimiter at every place about the end of a window, and the header of the part behind it too. */
static void test_parts_across_windows(void **state)
{
    (void)state;
    static const char start[] = "Content-Type: multipart/mixed; boundary=\"b-b\"\r\n\r\n--b-b\r\n\r\n";
    static const char rest[] = "\r\n--b-b\r\nContent-Type: image/png\r\n\r\nPNG\r\n--b-b--\r\n";
    char *mail = xmalloc(2 * (size_t)CONVERT_INPUT_WINDOW);
    for (size_t i = 0; i < sizeof rest + 4; i++) {
        size_t behind = (size_t)CONVERT_INPUT_WINDOW + 2 - i; /* where rest begins */
        memset(mail, 'x', behind);
        memcpy(mail, start, strlen(start));
        memcpy(mail + behind, rest, strlen(rest));
        struct convert_input input = convert_input_of(mail, behind + strlen(rest));
        const char *error = NULL;
        struct convert_part *part = convert_mime_scan(charsets, &input, &error);
        assert_non_null(part);
        assert_int_equal(part->child_count, 2);
        assert_int_equal(part->children[0]->content_len, behind - strlen(start));
        assert_int_equal(part->children[1]->content_len, 3);
        assert_string_equal(part->children[1]->about.type, "image");
        convert_part_free(&part);
    }
    free(mail);
}

/* Content of each encoding, a little longer each time, so that everything lies once across the end of a step. */
static void test_decoded_across_windows(void **state)
{
    (void)state;
    static const struct {
        enum convert_transfer encoding;
        const char *unit, *decoded, *before, *after;
    } rows[] = {
        { CONVERT_TRANSFER_BASE64, "QUJD\r\nREVG\r\n", "ABCDEF", "", "" },
        { CONVERT_TRANSFER_QP, "=41=\r\nB=3D \t\r\n", "AB= \t\r\n", "", "" },
        { CONVERT_TRANSFER_UU, "#04)#\r\n", "ABC", "begin 644 x\r\n", "end\r\n" },
        { CONVERT_TRANSFER_IDENTITY, "abc\r\n", "abc\r\n", "", "" },
    };
    struct strbuf content, expected, decoded;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t shift = 0; shift < 16; shift++) {
            strbuf_init(&content, 2 * mebibyte);
            strbuf_init(&expected, 2 * mebibyte);
            strbuf_init(&decoded, 2 * mebibyte);
            for (size_t n = 0; n < shift; n++) /* blanks are nothing in base64, and no file in uuencoded content */
                strbuf_add_char(&content, ' ');
            if (rows[i].encoding == CONVERT_TRANSFER_QP || rows[i].encoding == CONVERT_TRANSFER_IDENTITY)
                strbuf_add(&expected, content.data, content.len);
            if (rows[i].encoding == CONVERT_TRANSFER_UU && shift > 0)
                strbuf_add_str(&content, "\n");
            strbuf_add_str(&content, rows[i].before);
            while (content.len < mebibyte / 4 + 100) {
                strbuf_add_str(&content, rows[i].unit);
                strbuf_add_str(&expected, rows[i].decoded);
            }
            strbuf_add_str(&content, rows[i].after);
            struct convert_input input = convert_input_of(content.data, content.len);
            struct convert_decoded result =
                convert_transfer_decode(rows[i].encoding, content.data, content.len, &input, collect, &decoded);
            assert_false(result.damaged);
            assert_int_equal(result.size, expected.len);
            assert_int_equal(decoded.len, expected.len);
            assert_memory_equal(decoded.data, expected.data, expected.len);
            strbuf_free(&content);
            strbuf_free(&expected);
            strbuf_free(&decoded);
        }
    }
}

/* ---- memory ---- */

/* How many octets of a mapping are held in memory by this process. */
static size_t held(const struct convert_input *input)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = (input->len + page - 1) / page;
    uint64_t *entries = xcalloc(count, sizeof *entries);
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t wanted = (ssize_t)(count * sizeof *entries);
    assert_int_equal(pread(fd, entries, (size_t)wanted, (off_t)((uintptr_t)input->data / page * sizeof *entries)),
                     wanted);
    close(fd);
    size_t present = 0;
    for (size_t i = 0; i < count; i++)
        present += entries[i] >> 63;
    free(entries);
    return present * page;
}

struct watch {
    const struct convert_input *input;
    uint64_t size, next_look;
    size_t most;
};

static void look(const void *data, size_t len, void *ctx)
{
    (void)data;
    struct watch *watch = ctx;
    watch->size += len;
    if (watch->size < watch->next_look)
        return;
    watch->next_look += mebibyte;
    size_t now = held(watch->input);
    watch->most = now > watch->most ? now : watch->most;
}

static void add_lines(int fd, const char *line, size_t size)
{
    struct strbuf block;
    strbuf_init(&block, mebibyte);
    while (block.len + strlen(line) <= mebibyte)
        strbuf_add_str(&block, line);
    for (size_t done = 0; done < size; done += block.len)
        assert_int_equal(file_write_all(fd, block.data, block.len), 1);
    strbuf_free(&block);
}

static void add(int fd, const char *text)
{
    assert_int_equal(file_write_all(fd, text, strlen(text)), 1);
}

static struct convert_input map_all(int fd)
{
    struct convert_input input;
    assert_int_equal(convert_input_map(fd, lseek(fd, 0, SEEK_END), &input), 1);
    assert_int_equal(held(&input), 0);
    return input;
}

enum { HELD_MAX = 4 * 1024 * 1024 };

static void test_large_mail_is_not_held(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\r\n--b\r\nContent-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        "\r\n--b\r\nContent-Type: application/x-b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
        "\r\n--b\r\nContent-Type: application/x-c\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n",
        "\r\n--b\r\nContent-Type: application/x-d\r\nContent-Transfer-Encoding: x-unheard-of\r\n\r\n",
    };
    static const char *const lines[] = { "QUJDREVG\r\n", "a=3D=20b\r\n", "#04)#\r\n", "--\r\n" };
    int fd = tmpfile_new(".");
    assert_true(fd >= 0);
    add(fd, "Content-Type: multipart/mixed; boundary=b\r\n");
    for (size_t i = 0; i < 4; i++) {
        add(fd, parts[i]);
        add_lines(fd, lines[i], 3 * mebibyte);
    }
    add(fd, "\r\n--b--\r\n");
    struct convert_input input = map_all(fd);
    struct watch watch = { .input = &input };
    struct convert_in_message message;
    convert_mime_in(charsets, &input, &(struct convert_in_options){ .is_automatic = false }, look, &watch, &message);
    assert_false(message.is_fallback);
    assert_int_equal(message.attachment_count, 5); /* what can't be decoded is attached once more, as it came */
    assert_true(watch.size > input.len);
    assert_true(watch.most < HELD_MAX);
    assert_true(held(&input) < HELD_MAX);
    convert_in_message_free(&message);
    convert_input_unmap(&input);
    close(fd);
}

/* Lines and headers without an end are no reason to hold more. */
static void test_endless_lines_are_not_held(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n",
        "Content-Type: application/x-a\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n",
        "Subject: ",
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        int fd = tmpfile_new(".");
        assert_true(fd >= 0);
        add(fd, starts[i]);
        add_lines(fd, "-", 8 * mebibyte);
        struct convert_input input = map_all(fd);
        const char *error;
        struct convert_part *part = convert_mime_scan(charsets, &input, &error);
        assert_true(held(&input) < HELD_MAX);
        convert_part_free(&part);
        struct watch watch = { .input = &input };
        struct convert_in_message message;
        convert_mime_in(charsets, &input, &(struct convert_in_options){ .is_automatic = false }, look, &watch,
                        &message);
        assert_true(watch.most < HELD_MAX);
        convert_in_message_free(&message);
        convert_input_unmap(&input);
        close(fd);
    }
}

static void test_large_attachments_are_not_held(void **state)
{
    (void)state;
    int fd = tmpfile_new(".");
    assert_true(fd >= 0);
    add(fd, "body");
    add_lines(fd, "0123456789abcdef", 12 * mebibyte);
    struct convert_input input = map_all(fd);
    const struct convert_out_attachment attachments[] = { { "u:a.bin", 1 }, { "u:b.bin", input.len - 5 } };
    const struct convert_out_job job = {
        .input = &input, .content = input.data, .body_size = 4, .attachments = attachments, .attachment_count = 2
    };
    struct watch watch = { .input = &input };
    struct strbuf detail;
    strbuf_init(&detail, 1000);
    convert_mime_out(&job, look, &watch, &detail);
    assert_true(watch.size > input.len / 3 * 4);
    assert_true(watch.most < HELD_MAX);
    strbuf_free(&detail);
    convert_input_unmap(&input);
    close(fd);
}

static void test_files_that_are_too_short(void **state)
{
    (void)state;
    struct convert_input input;
    int fd = tmpfile_new(".");
    assert_true(fd >= 0);
    assert_int_equal(convert_input_map(fd, 0, &input), 1);
    assert_int_equal(input.len, 0);
    convert_input_unmap(&input);
    add(fd, "four");
    assert_int_equal(convert_input_map(fd, 5, &input), -1);
    assert_int_equal(convert_input_map(fd, -1, &input), -1);
    assert_int_equal(convert_input_map(fd, 4, &input), 1);
    assert_memory_equal(input.data, "four", 4);
    convert_input_unmap(&input);
    close(fd);
}

int main(void)
{
    charsets = convert_charsets_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_across_windows),       cmocka_unit_test(test_parts_across_windows),
        cmocka_unit_test(test_decoded_across_windows),     cmocka_unit_test(test_large_mail_is_not_held),
        cmocka_unit_test(test_endless_lines_are_not_held), cmocka_unit_test(test_large_attachments_are_not_held),
        cmocka_unit_test(test_files_that_are_too_short),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    convert_charsets_free(&charsets);
    return failed;
}
