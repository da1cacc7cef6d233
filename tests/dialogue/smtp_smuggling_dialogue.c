/* smtp_smuggling_dialogue.c - no second message from within a first one: plays tests/dialogue/smtp_tables/smuggling.forms,
 * which says how */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/dialogue/script_text.h"
#include "tests/dialogue/smtp_scene.h"

#define FORMS POSTERN_SOURCE_DIR "/tests/dialogue/smtp_tables/smuggling.forms"
#define HEAD  "Subject: Lunch\r\n\r\nfirst"
#define TAIL                                                                                                           \
    "MAIL FROM:<ceo@silo.example.org>\r\nRCPT TO:<alice.member@silo.example.org>\r\nDATA\r\nSubject: Raise\r\n\r\n"    \
    "second"

enum { LINE_SIZE = 1000, TEXT_MAX = 4000 };

enum verdict { REFUSED, HARMLESS, END };

struct form {
    int line;
    enum verdict verdict;
    struct strbuf wire;    /* as it stands in DATA, or in a chunk */
    struct strbuf content; /* as it is without the dots of DATA */
};

static const char envelope[] = "EHLO client.example\r\nMAIL FROM:<bob@example.com>\r\n"
                               "RCPT TO:<alice.member@silo.example.org>\r\n";
static const char binary_envelope[] = "EHLO client.example\r\nMAIL FROM:<bob@example.com> BODY=BINARYMIME\r\n"
                                      "RCPT TO:<alice.member@silo.example.org>\r\n";

static struct scene *begin(const char *lines)
{
    struct scene *scene = scene_new(&(struct scene_settings){ .is_slow = false });
    scene_say(scene, lines);
    assert_int_equal(scene->mails, 1);
    return scene;
}

static void require(const struct form *form, bool holds, const char *what)
{
    if (!holds)
        fail_msg("smuggling.forms:%d: %s", form->line, what);
}

static void require_reply(const struct form *form, struct scene *scene, size_t from, size_t n, const char *expected)
{
    const char *reply = scene_reply(scene, from, n);
    if (!reply || strncmp(reply, expected, strlen(expected)) != 0)
        fail_msg("smuggling.forms:%d: expected %s, got %s", form->line, expected, reply ? reply : "nothing");
}

/* The content is over, and was one: there is one reply to it, and the next command gets its own. */
static void require_outcome(const struct form *form, struct scene *scene, size_t from, bool is_taken,
                            const struct strbuf *content)
{
    require_reply(form, scene, from, 0, is_taken ? "250 2.0.0 Yes\r\n" : "554 5.6.0 ");
    require(form, scene_count_replies(scene, from) == 1, "more than one reply");
    require(form, scene->mails == 1, "a second sender");
    require(form, scene->messages == is_taken, "messages");
    if (is_taken)
        require(form,
                scene->content.len == content->len && memcmp(scene->content.data, content->data, content->len) == 0,
                "another content");
    from = scene->received.len;
    scene_say(scene, "NOOP\r\n");
    require_reply(form, scene, from, 0, "250 2.0.0 Ok\r\n");
}

static void compose(struct strbuf *out, const char *before, const struct strbuf *middle, const char *after)
{
    strbuf_init(out, TEXT_MAX);
    strbuf_add_str(out, before);
    strbuf_add(out, middle->data, middle->len);
    strbuf_add_str(out, after);
}

/* --- in DATA --- */

static void play_data(const struct form *form, size_t cut, bool is_bytewise)
{
    struct strbuf wire, content;
    compose(&wire, HEAD, &form->wire, TAIL "\r\n.\r\n");
    compose(&content, HEAD, &form->content, TAIL "\r\n");
    struct scene *scene = begin(envelope);
    scene_say(scene, "DATA\r\n");
    size_t from = scene->received.len;
    if (is_bytewise)
        scene_send_bytes(scene, wire.data, wire.len);
    else
        scene_send_parted(scene, wire.data, wire.len, cut);
    if (form->verdict == END) {
        require(form, scene->mails == 2 && scene->messages == 2, "the true end is none");
        require_reply(form, scene, from, 0, "250 2.0.0 Yes\r\n");
    } else {
        require_outcome(form, scene, from, form->verdict == HARMLESS, &content);
    }
    scene_free(&scene);
    strbuf_free(&wire);
    strbuf_free(&content);
}

/* Who is cut off behind the form has not sent a message, however much that looked like an end to somebody. */
static void play_data_cut_off(const struct form *form)
{
    struct strbuf wire;
    compose(&wire, HEAD, &form->wire, "");
    struct scene *scene = begin(envelope);
    scene_say(scene, "DATA\r\n");
    scene_send(scene, wire.data, wire.len);
    scene_cut(scene);
    require(form, scene->messages == (form->verdict == END), "half a message was taken");
    require(form, scene->messages + scene->abandoned == 1, "the transaction has not ended");
    scene_free(&scene);
    strbuf_free(&wire);
}

/* --- in BDAT --- */

static void add_chunk(struct strbuf *out, const char *octets, size_t len, const char *last)
{
    strbuf_add_fmt(out, "BDAT %zu%s\r\n", len, last);
    strbuf_add(out, octets, len);
}

static void play_chunks(const struct form *form, const char *lines, const struct strbuf *content, size_t cut,
                        bool is_taken)
{
    struct strbuf wire;
    strbuf_init(&wire, 2 * TEXT_MAX);
    add_chunk(&wire, content->data, cut, "");
    add_chunk(&wire, content->data + cut, content->len - cut, " LAST");
    struct scene *scene = begin(lines);
    size_t from = scene->received.len;
    scene_send(scene, wire.data, wire.len);
    const char *first = scene_reply(scene, from, 0); /* which may tell what is wrong, or not know it yet */
    if (!first) {
        require(form, false, "no reply to the first chunk");
        return;
    }
    require(form, strncmp(first, "250 2.0.0 ", 10) == 0 || strncmp(first, "554 5.6.0 ", 10) == 0,
            "the reply to the first chunk");
    require_outcome(form, scene, (size_t)(strstr(first, "\r\n") + 2 - scene->received.data), is_taken, content);
    scene_free(&scene);
    strbuf_free(&wire);
}

static void play_bdat(const struct form *form)
{
    struct strbuf body, header;
    compose(&body, HEAD, &form->wire, TAIL "\r\n.\r\n");
    compose(&header, "Subject: Lunch", &form->wire, TAIL "\r\n.\r\n");
    bool is_text = form->verdict != REFUSED;
    for (size_t i = 0; i <= form->wire.len; i++) {
        play_chunks(form, envelope, &body, strlen(HEAD) + i, is_text);
        play_chunks(form, binary_envelope, &body, strlen(HEAD) + i, true);
        play_chunks(form, binary_envelope, &header, strlen("Subject: Lunch") + i, is_text);
    }
    strbuf_free(&body);
    strbuf_free(&header);
}

/* --- the table --- */

static void play_form(const struct form *form)
{
    size_t len = strlen(HEAD) + form->wire.len + strlen(TAIL "\r\n.\r\n");
    for (size_t cut = 0; cut <= len; cut++)
        play_data(form, cut, false);
    play_data(form, 0, true);
    play_data_cut_off(form);
    play_bdat(form);
}

static bool read_form(char *text, struct form *form)
{
    static const char *const verdicts[] = { "refused ", "harmless ", "end " };
    for (enum verdict verdict = REFUSED; verdict <= END; verdict++) {
        size_t len = strlen(verdicts[verdict]);
        if (strncmp(text, verdicts[verdict], len) != 0)
            continue;
        char *wire = text + len;
        char *content = strstr(wire, " => ");
        if (content)
            *content = '\0';
        form->verdict = verdict;
        strbuf_init(&form->wire, TEXT_MAX);
        strbuf_init(&form->content, TEXT_MAX);
        return script_unescape(wire, &form->wire) && script_unescape(content ? content + 4 : wire, &form->content);
    }
    return false;
}

static void nothing_is_smuggled(void **state)
{
    (void)state;
    char text[LINE_SIZE];
    FILE *file = fopen(FORMS, "r");
    assert_non_null(file);
    unsigned counts[END + 1] = { 0 };
    for (int line = 1; fgets(text, sizeof text, file); line++) {
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '\0' || text[0] == '#')
            continue;
        struct form form = { .line = line };
        if (!read_form(text, &form))
            fail_msg("smuggling.forms:%d: not understood", line);
        play_form(&form);
        counts[form.verdict]++;
        strbuf_free(&form.wire);
        strbuf_free(&form.content);
    }
    fclose(file);
    assert_true(counts[REFUSED] > 0 && counts[HARMLESS] > 0 && counts[END] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_smuggled) };
    scene_silence_log();
    return cmocka_run_group_tests_name("smtp_smuggling_dialogue", tests, NULL, NULL);
}
