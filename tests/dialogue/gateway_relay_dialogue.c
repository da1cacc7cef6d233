/* gateway_relay_dialogue.c - plays the scripts in tests/dialogue/gateway_relay/ against the way out: the real queue, database
 * and relay of the gateway, with relays that answer as the script says, on a clock that the script moves
 *
 * Lines ('#' begins a comment); R is a relay's name, N a message's, MS a time such as 90s, 5m, 4h, 5d or 1500 (ms):
 *
 *   relays R ...           of the configuration, in this order (before anything else); all are up
 *   connections N          max_connections of each (before the first message)
 *   retry FIRST LONGEST GIVE_UP WARN_AFTER
 *   up R, down R           it listens, or not
 *   offer R KEYWORDS       that EHLO lists
 *   answer R WHERE REPLY   from now on (fake_relay.h)
 *   slow R WHERE MS        it thinks that long before it answers
 *   message N to ADDRESS ... / report N to ADDRESS / wanting N to ADDRESS ...
 *                          an entry of the queue whose mail is written; the author of the last kind wants delivery reports
 *   many COUNT N to ADDRESS ...    as many messages; what is said of N is about the last of them
 *   utf8 N to ADDRESS ... / lost N to ADDRESS ...
 *                          likewise; its mail needs SMTPUTF8, its content is missing
 *   revoke ADDRESS, suspend ADDRESS, resume ADDRESS     the mapping of the author with it
 *   release N              an administrator lets go on what is held and written
 *   hold N, drop N         an administrator stops a message; nothing is said to its author here
 *   pass MS                time goes by, from one event to the next
 *   restart                the daemon ends and starts again
 *   probe                  an administrator wants everything tried now
 *   R gets ADDRESS ...     the next mail that it has taken is for these; every mail of a message has the same octets
 *   R gets nothing         more
 *   R connections A to B, R attempts A to B   since the last such line; attempts are MAIL commands
 *   N is STATE             of the queue: routed, held, settled...
 *   N for ADDRESS is STATE [REPLY]   waiting, delivered or failed; '*' at the end stands for any rest
 *   N attempts A to B      that it has counted
 *   N due in MS to MS
 *   notice TEXT            the author's next notice has this in it
 *   and TEXT               the same notice has this, too
 *   but not TEXT           and this not
 *   no notice              more
 *   story N TEXT           some line of its trace has this in it
 *   state R up|down|probing
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "mapping/store_content.h"
#include "mapping/store_trace.h"
#include "tests/dialogue/gateway_relay_scene.h"
#include "tests/dialogue/script_text.h"

#define SCRIPTS POSTERN_SOURCE_DIR "/tests/dialogue/gateway_relay"

enum { SCRIPTS_MAX = 200 };

/* --- what must be --- */

static void check_range(struct play *play, char **words, int64_t actual, const char *what)
{
    if (!words[0] || !words[1] || !words[2] || strcmp(words[1], "to") != 0)
        FAIL(play, "expected: A to B");
    if (actual < scene_read_ms(play, words[0]) || actual > scene_read_ms(play, words[2]))
        FAIL(play, "%lld %s", (long long)actual, what);
}

static struct message *message_of(struct play *play, const char *content)
{
    for (size_t i = 0; i < play->message_count; i++)
        if (strstr(content, play->messages[i].name))
            return &play->messages[i];
    FAIL(play, "a relay got what nobody has written: %s", content);
    return NULL;
}

static void check_mail(struct play *play, const struct fake_mail *mail, char **addresses)
{
    const char *rest = mail->recipients;
    struct message *message = message_of(play, mail->content);
    for (; *addresses; addresses++) {
        const char *found = strcasestr(rest, *addresses);
        if (!found)
            FAIL(play, "%s is missing from \"%s\"", *addresses, mail->recipients);
        rest = found + strlen(*addresses);
    }
    if (strchr(rest, '@'))
        FAIL(play, "there are more recipients: \"%s\"", mail->recipients);
    if (!message->content)
        message->content = xstrdup(mail->content);
    if (strcmp(message->content, mail->content) != 0)
        FAIL(play, "it is not the same mail as before");
}

static void relay_gets(struct play *play, struct place *place, char **words)
{
    const struct fake_mail *mail = fake_relay_take(place->relay);
    bool nothing = words[0] && strcmp(words[0], "nothing") == 0;
    if (nothing && mail)
        FAIL(play, "%s got a mail for \"%s\"", place->name, mail->recipients);
    if (!nothing && !mail)
        FAIL(play, "%s got no mail", place->name);
    if (mail)
        check_mail(play, mail, words);
}

static void relay_connections(struct play *play, struct place *place, char **words)
{
    unsigned now = fake_relay_connections(place->relay);
    check_range(play, words, now - place->connections, "connections");
    place->connections = now;
}

static void relay_attempts(struct play *play, struct place *place, char **words)
{
    unsigned now = fake_relay_attempts(place->relay);
    check_range(play, words, now - place->attempts, "attempts");
    place->attempts = now;
}

static void relay_is(struct play *play, struct place *place, char **words)
{
    struct relay_status status;
    relay_get_status(play->relay, (size_t)(place - play->places), &status);
    if (!words[0] || strcmp(status.state, words[0]) != 0)
        FAIL(play, "%s is %s", place->name, status.state);
}

static struct store_outbound find_row(struct play *play, const struct message *message)
{
    struct store_outbound row;
    if (store_outbound_find(store_reader(play->parts.store), message->id, &row) != 1)
        FAIL(play, "%s has no entry", message->name);
    return row;
}

static void message_is(struct play *play, struct message *message, char **words)
{
    struct store_outbound row = find_row(play, message);
    if (!words[0] || strcmp(store_queue_state_name(row.state), words[0]) != 0)
        FAIL(play, "%s is %s: %s", message->name, store_queue_state_name(row.state), row.last_error);
    store_outbound_free(&row);
}

/* ADDRESS is STATE [REPLY] */
static void message_for(struct play *play, struct message *message, char **words)
{
    struct store_outbound row = find_row(play, message);
    bool found = false;
    if (!words[0] || !words[1] || !words[2])
        FAIL(play, "expected: ADDRESS is STATE");
    for (size_t i = 0; i < row.recipient_count; i++) {
        const struct store_outbound_recipient *recipient = &row.recipients[i];
        if (strcmp(recipient->address, words[0]) != 0)
            continue;
        found = true;
        if (strcmp(store_recipient_state_name(recipient->state), words[2]) != 0)
            FAIL(play, "%s is %s: %s", words[0], store_recipient_state_name(recipient->state), recipient->reply);
        if (words[3] && !script_matches(words[3], strlen(words[3]), recipient->reply, strlen(recipient->reply)))
            FAIL(play, "of %s was said: %s", words[0], recipient->reply);
    }
    if (!found)
        FAIL(play, "it is not for %s", words[0]);
    store_outbound_free(&row);
}

static void message_attempts(struct play *play, struct message *message, char **words)
{
    struct store_outbound row = find_row(play, message);
    check_range(play, words, row.attempts, "attempts");
    store_outbound_free(&row);
}

/* in MS to MS */
static void message_due(struct play *play, struct message *message, char **words)
{
    struct store_outbound row = find_row(play, message);
    check_range(play, words + 1, row.next_attempt_at - clock_wall_ms(play->clock), "ms until it is due");
    store_outbound_free(&row);
}

struct search {
    const char *text;
    bool found;
};

static void look_at_event(int64_t at, const char *event, const char *detail, void *ctx)
{
    struct search *search = ctx;
    (void)at;
    search->found = search->found || strstr(detail, search->text) || strcmp(event, search->text) == 0;
}

static void message_story(struct play *play, struct message *message, char **words)
{
    struct search search = { .text = words[0] };
    if (store_trace_list(store_reader(play->parts.store), STORE_QUEUE_OUT, message->id, look_at_event, &search) != 1 ||
        !search.found)
        FAIL(play, "its story does not have \"%s\"", words[0]);
}

struct notices {
    struct play *play;
    int64_t id; /* the first after the last one */
};

static void find_notice(int64_t id, int64_t next_attempt_at, void *ctx)
{
    struct notices *notices = ctx;
    (void)next_attempt_at;
    if (!notices->id && id > notices->play->last_notice)
        notices->id = id;
}

static char *read_notice(struct play *play, int64_t id)
{
    struct store_inbound row;
    int fd;
    int64_t size;
    if (store_inbound_find(store_reader(play->parts.store), id, &row) != 1 ||
        store_content_open(store_reader(play->parts.store), row.content_id, &fd, &size) != 1)
        FAIL(play, "a notice can't be read");
    char *text = xcalloc(1, (size_t)size + 1);
    assert_int_equal(pread(fd, text, (size_t)size, 0), size);
    close(fd);
    store_inbound_free(&row);
    return text;
}

/* The next one becomes the current one; NULL when there is none. */
static void next_notice(struct play *play)
{
    struct notices notices = { .play = play };
    free(play->notice);
    play->notice = NULL;
    if (store_queue_list(store_reader(play->parts.store), STORE_QUEUE_IN, STORE_QUEUE_WAITING, 1000, find_notice,
                         &notices) != 1)
        FAIL(play, "the queue can't be read");
    if (!notices.id)
        return;
    play->last_notice = notices.id;
    play->notice = read_notice(play, notices.id);
}

static void do_and(struct play *play, char **words)
{
    if (!play->notice || !strstr(play->notice, words[0]))
        FAIL(play, "expected \"%s\", got: %s", words[0], play->notice ? play->notice : "no notice");
}

static void do_notice(struct play *play, char **words)
{
    next_notice(play);
    do_and(play, words);
}

static void do_but_not(struct play *play, char **words)
{
    if (!play->notice || strstr(play->notice, words[0]))
        FAIL(play, "unexpected \"%s\": %s", words[0], play->notice ? play->notice : "no notice");
}

static void do_no_notice(struct play *play, char **words)
{
    (void)words;
    next_notice(play);
    if (play->notice)
        FAIL(play, "unexpected: %s", play->notice);
}

/* --- a line --- */

/* Deeds of the world, of a relay, of a message. count: words that they take, of which the last is all the rest. */
static const struct {
    const char *word;
    size_t count;
    void (*run)(struct play *play, char **words);
} deeds[] = {
    { "relays", ADDRESSES_MAX, scene_relays },
    { "connections", 1, scene_connections },
    { "retry", 4, scene_retry },
    { "up", 1, scene_up },
    { "down", 1, scene_down },
    { "offer", 2, scene_offer },
    { "answer", 3, scene_answer },
    { "slow", 3, scene_slow },
    { "message", ADDRESSES_MAX, scene_message },
    { "many", ADDRESSES_MAX, scene_many },
    { "wanting", ADDRESSES_MAX, scene_wanting },
    { "report", ADDRESSES_MAX, scene_report },
    { "utf8", ADDRESSES_MAX, scene_utf8 },
    { "lost", ADDRESSES_MAX, scene_lost },
    { "revoke", 1, scene_revoke },
    { "suspend", 1, scene_suspend },
    { "resume", 1, scene_resume },
    { "release", 1, scene_release },
    { "hold", 1, scene_hold },
    { "drop", 1, scene_drop },
    { "probe", 1, scene_probe },
    { "restart", 1, scene_restart },
    { "pass", 1, scene_pass },
    { "notice", 1, do_notice },
    { "and", 1, do_and },
    { "but not", 1, do_but_not },
    { "no notice", 1, do_no_notice },
};
static const struct {
    const char *word;
    void (*run)(struct play *play, struct place *place, char **words);
} relay_deeds[] = {
    { "gets", relay_gets },
    { "connections", relay_connections },
    { "attempts", relay_attempts },
    { "is", relay_is },
};
static const struct {
    const char *word;
    size_t count;
    void (*run)(struct play *play, struct message *message, char **words);
} message_deeds[] = {
    { "is", 1, message_is },   { "for", 4, message_for },     { "attempts", 3, message_attempts },
    { "due", 4, message_due }, { "story", 1, message_story },
};

/* words: ADDRESSES_MAX + 1 of them, each the caller's to free. */
static void split(const char *text, size_t count, char **words)
{
    memset(words, 0, (ADDRESSES_MAX + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++) {
        text += strspn(text, " ");
        if (!*text)
            return;
        size_t len = i + 1 < count ? strcspn(text, " ") : strlen(text);
        words[i] = xstrndup(text, len);
        text += len;
    }
}

static void free_words(char **words)
{
    for (size_t i = 0; i <= ADDRESSES_MAX; i++)
        free(words[i]);
}

static bool begins_with(const char *line, const char *word, const char **rest_out)
{
    size_t len = strlen(word);
    if (strncmp(line, word, len) != 0 || (line[len] != ' ' && line[len] != '\0'))
        return false;
    *rest_out = line + len;
    return true;
}

static bool play_relay_line(struct play *play, const char *line)
{
    char *words[ADDRESSES_MAX + 1];
    const char *rest = line;
    for (size_t i = 0; i < play->place_count; i++) {
        if (!begins_with(line, play->places[i].name, &rest))
            continue;
        split(rest, ADDRESSES_MAX, words);
        for (size_t j = 0; j < sizeof relay_deeds / sizeof relay_deeds[0]; j++) {
            if (!words[0] || strcmp(words[0], relay_deeds[j].word) != 0)
                continue;
            scene_settle(play);
            relay_deeds[j].run(play, &play->places[i], words + 1);
            free_words(words);
            return true;
        }
        free_words(words);
    }
    return false;
}

static bool play_message_line(struct play *play, const char *line)
{
    char *words[ADDRESSES_MAX + 1];
    const char *rest = line;
    for (size_t i = 0; i < play->message_count; i++) {
        if (!begins_with(line, play->messages[i].name, &rest))
            continue;
        rest += strspn(rest, " ");
        for (size_t j = 0; j < sizeof message_deeds / sizeof message_deeds[0]; j++) {
            const char *arguments = rest;
            if (!begins_with(rest, message_deeds[j].word, &arguments))
                continue;
            split(arguments, message_deeds[j].count, words);
            scene_settle(play);
            message_deeds[j].run(play, &play->messages[i], words);
            free_words(words);
            return true;
        }
    }
    return false;
}

static void play_line(struct play *play, const char *line)
{
    char *words[ADDRESSES_MAX + 1];
    const char *rest = line;
    if (play_relay_line(play, line) || play_message_line(play, line))
        return;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (!begins_with(line, deeds[i].word, &rest))
            continue;
        split(rest, deeds[i].count, words);
        deeds[i].run(play, words);
        free_words(words);
        return;
    }
    FAIL(play, "what is \"%s\"?", line);
}

/* --- a whole script --- */

static void play_script(void **state)
{
    const char *file = *state;
    char path[LINE_SIZE], line[LINE_SIZE];
    struct play *play = xcalloc(1, sizeof *play);
    play->file = file;
    snprintf(path, sizeof path, "%s/%s", SCRIPTS, file);
    FILE *script = fopen(path, "re");
    assert_non_null(script);
    scene_setup(play);
    while (fgets(line, sizeof line, script)) {
        play->line++;
        line[strcspn(line, "\n")] = 0;
        if (line[0] && line[0] != '#')
            play_line(play, line);
    }
    fclose(script);
    scene_teardown(play);
    free(play);
}

int main(int argc, char **argv)
{
    struct dirent **files;
    struct CMUnitTest tests[SCRIPTS_MAX];
    size_t count = 0;
    int found = scandir(SCRIPTS, &files, script_is_dialogue, alphasort);
    assert_true(found > 0 && found <= SCRIPTS_MAX);
    for (int i = 0; i < found; i++) {
        if (argc > 1 && strcmp(argv[1], files[i]->d_name) != 0)
            continue;
        tests[count++] = (struct CMUnitTest){ .name = files[i]->d_name,
                                              .test_func = play_script,
                                              .initial_state = files[i]->d_name };
    }
    int failed = _cmocka_run_group_tests("gateway_relay", tests, count, NULL, NULL);
    for (int i = 0; i < found; i++)
        free(files[i]);
    free(files);
    return failed;
}
