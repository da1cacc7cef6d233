/* doctor_apart.c - what the doctor hears from peers, it hears in a process that may do less than root */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "gateway/apart.h"
#include "gateway/doctor_internal.h"

enum { SAID_MAX = 1024 * 1024, LINE_MAX = 512, REACH_MAX = 800, SPARE_MS = 2000, WORDS_LIMIT = 4000 };

/* As who it runs: a daemon that is there knows best. */
static struct apart_settings choose(const struct doctor *doctor, int64_t ms)
{
    struct apart_settings settings = { .ms = doctor_time(doctor, ms) + SPARE_MS };
    apart_choose(doctor->config, &settings);
    if (doctor->daemon.pid != 0 && doctor->user.is_known && doctor->user.uid != 0) {
        settings.uid = doctor->user.uid;
        settings.gid = doctor->user.gid;
    }
    return settings;
}

/* ---- findings: number of the check, level, two texts with their NUL; "" is no advice ---- */

struct talking {
    struct doctor *doctor;
    doctor_talk *talk;
    void *ctx;
};

static size_t number_of(const struct doctor_finding *finding)
{
    for (size_t i = 0; i < doctor_check_count(); i++)
        if (doctor_check_at(i)->topic == finding->topic && doctor_check_at(i)->name == finding->check)
            return i;
    abort();
}

static void begin_talk(struct doctor *doctor)
{
    doctor->loop = loop_new(doctor->clock);
}

static void end_talk(struct doctor *doctor)
{
    doctor_forget_answers(doctor);
    loop_free(&doctor->loop);
}

static void talk_and_say(void *ctx, struct strbuf *said)
{
    const struct talking *talking = ctx;
    struct doctor *doctor = talking->doctor;
    const size_t before = doctor->count;
    begin_talk(doctor);
    talking->talk(doctor, talking->ctx);
    end_talk(doctor);
    for (size_t i = before; i < doctor->count; i++) {
        const struct doctor_finding *finding = &doctor->findings[i];
        strbuf_add_char(said, (char)number_of(finding));
        strbuf_add_char(said, (char)finding->level);
        strbuf_add(said, finding->what, strlen(finding->what) + 1);
        strbuf_add_str(said, finding->advice ? finding->advice : "");
        strbuf_add_char(said, 0);
    }
}

/* Only checks of the topic that was to be talked about count. false: that is nothing that we would have said. */
static bool take_finding(struct doctor *doctor, const char *topic, const char **at, const char *end)
{
    const size_t left = (size_t)(end - *at);
    const unsigned number = left > 0 ? (unsigned char)(*at)[0] : 0, level = left > 1 ? (unsigned char)(*at)[1] : 0;
    const char *what = *at + 2, *what_end = left > 2 ? memchr(what, 0, left - 2) : NULL;
    const char *advice = what_end ? what_end + 1 : NULL;
    const char *advice_end = advice && advice < end ? memchr(advice, 0, (size_t)(end - advice)) : NULL;
    if (!advice_end || number >= doctor_check_count() || level > DOCTOR_FAILURE ||
        strcmp(doctor_check_at(number)->topic, topic) != 0)
        return false;
    doctor->check = doctor_check_at(number);
    doctor_say(doctor, (enum doctor_level)level, "%.*s", WORDS_LIMIT - 1, what);
    if (*advice)
        doctor_advise(doctor, "%.*s", WORDS_LIMIT - 1, advice);
    *at = advice_end + 1;
    return true;
}

void doctor_apart(struct doctor *doctor, int64_t ms, doctor_talk *talk, void *ctx)
{
    struct talking talking = { .doctor = doctor, .talk = talk, .ctx = ctx };
    const struct doctor_check *const check = doctor->check;
    struct strbuf said;
    if (doctor->loop) {
        talk(doctor, ctx);
        return;
    }
    const struct apart_settings settings = choose(doctor, ms);
    strbuf_init(&said, SAID_MAX);
    if (apart_run(&settings, talk_and_say, &talking, &said) < 0) {
        doctor_say(doctor, DOCTOR_UNSEEN, "not looked at: %s", said.data);
    } else {
        const char *at = said.data, *end = said.data + said.len;
        while (at < end && take_finding(doctor, check->topic, &at, end))
            ;
        doctor->check = check;
        if (at < end || said.len == 0)
            doctor_say(doctor, DOCTOR_UNSEEN, "not looked at: the process that asks says nothing of use");
    }
    strbuf_free(&said);
}

/* ---- connecting ---- */

struct reach {
    struct doctor *doctor;
    struct strbuf *text;
    bool wants_line, is_connected, is_done;
};

static void reached(struct reach *reach)
{
    reach->is_done = true;
    loop_stop(reach->doctor->loop);
}

static void on_connected(struct stream *stream, void *ctx)
{
    struct reach *reach = ctx;
    (void)stream;
    reach->is_connected = true;
    if (!reach->wants_line)
        reached(reach);
}

static void on_input(struct stream *stream, void *ctx)
{
    struct reach *reach = ctx;
    const char *line;
    size_t len;
    int got = stream_read_line(stream, LINE_MAX, true, &line, &len, NULL);
    if (got == 1)
        strbuf_add(reach->text, line, len);
    if (got != 0)
        reached(reach);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct reach *reach = ctx;
    (void)stream;
    (void)why;
    if (!reach->is_connected)
        strbuf_add_str(reach->text, detail);
    reached(reach);
}

static const struct stream_callbacks callbacks = { .on_connected = on_connected,
                                                   .on_input = on_input,
                                                   .on_end = on_end };

static bool reach_here(struct doctor *doctor, const char *address, int64_t ms, bool wants_line, struct strbuf *text_out)
{
    struct reach reach = { .doctor = doctor, .text = text_out, .wants_line = wants_line };
    const struct stream_settings settings = { .callbacks = &callbacks, .ctx = &reach };
    const struct stream_target target = { .address = address, .connect_timeout_ms = doctor_time(doctor, ms) };
    struct stream *stream = stream_new_connecting(doctor->loop, &settings, &target);
    doctor_wait(doctor, &reach.is_done, ms);
    stream_free(&stream);
    loop_turn(doctor->loop);
    if (!reach.is_connected && text_out->len == 0)
        strbuf_add_str(text_out, "no answer in time");
    return reach.is_connected;
}

struct reaching {
    struct doctor *doctor;
    const char *address;
    int64_t ms;
    bool wants_line;
};

static void reach_and_say(void *ctx, struct strbuf *said)
{
    const struct reaching *reaching = ctx;
    struct strbuf text;
    begin_talk(reaching->doctor);
    strbuf_init(&text, REACH_MAX - 1);
    bool is_reached = reach_here(reaching->doctor, reaching->address, reaching->ms, reaching->wants_line, &text);
    strbuf_add_char(said, is_reached ? 'y' : 'n');
    strbuf_add_str(said, text.data);
    strbuf_free(&text);
    end_talk(reaching->doctor);
}

bool doctor_reach(struct doctor *doctor, const char *address, int64_t ms, bool wants_line, struct strbuf *text_out)
{
    struct reaching reaching = { .doctor = doctor, .address = address, .ms = ms, .wants_line = wants_line };
    struct strbuf said;
    if (doctor->loop)
        return reach_here(doctor, address, ms, wants_line, text_out);
    const struct apart_settings settings = choose(doctor, ms);
    strbuf_init(&said, REACH_MAX);
    bool has_said = apart_run(&settings, reach_and_say, &reaching, &said) == 1 && said.len > 0;
    bool is_reached = has_said && said.data[0] == 'y';
    strbuf_add_str(text_out, has_said ? said.data + 1 : said.data);
    strbuf_free(&said);
    return is_reached;
}
