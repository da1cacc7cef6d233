/* setup_store.c - work in the database while no daemon has it; see setup.h */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "gateway/admin_output.h"
#include "gateway/apart.h"
#include "gateway/config.h"
#include "gateway/setup.h"
#include "mapping/store.h"

enum { WORDS_MAX = 2000, PATH_SIZE = 5000 };

struct job {
    const struct config *config;
    setup_work *work; /* NULL: to open it is all */
    void *ctx;
};

static enum setup_result open_and_work(const struct job *job, struct strbuf *words)
{
    struct strbuf path;
    enum setup_result result;
    char *error = NULL;
    umask(077);
    struct clock *clock = clock_new_system();
    struct loop *loop = loop_new(clock);
    strbuf_init(&path, PATH_SIZE);
    strbuf_add_fmt(&path, "%s/postern.db", job->config->state_dir);
    struct store *store = store_open(loop, path.data, &error);
    if (store) {
        result = job->work ? job->work(loop, store, job->ctx, words) : SETUP_MADE;
        store_close(&store);
    } else {
        result = strstr(error, "in use") ? SETUP_DAEMON : SETUP_FAILED;
        strbuf_add_str(words, error);
    }
    free(error);
    strbuf_free(&path);
    loop_free(&loop);
    clock_free(&clock);
    return result;
}

static void do_job(void *ctx, struct strbuf *said)
{
    struct strbuf words;
    strbuf_init(&words, WORDS_MAX);
    strbuf_add_char(said, (char)open_and_work(ctx, &words));
    strbuf_add(said, words.data, words.len);
    strbuf_free(&words);
}

static enum setup_result run(const struct apart_settings *settings, struct job *job, struct strbuf *words_out)
{
    struct strbuf said;
    enum setup_result result = SETUP_FAILED;
    strbuf_init(&said, WORDS_MAX + 1);
    if (apart_run(settings, do_job, job, &said) < 0) {
        strbuf_add_str(words_out, said.data);
    } else if (said.len > 0 && (unsigned char)said.data[0] <= SETUP_DAEMON) {
        result = (enum setup_result)said.data[0];
        (void)admin_output_add_clean(words_out, said.data + 1, said.len - 1,
                                     false); /* a silo's words may be among them */
    }
    strbuf_free(&said);
    return result;
}

/* Nobody outside has a word in the opening, so it may take its time; whoever then talks to a silo may not. */
enum setup_result setup_in_store(const struct config *config, const struct setup_patience *patience, setup_work *work,
                                 void *ctx, struct strbuf *words_out)
{
    struct job opening = { .config = config }, job = { .config = config, .work = work, .ctx = ctx };
    struct apart_settings settings = { .works_on_files = true, .tell_ms = patience->tell_ms, .tell = patience->tell };
    if (config->user && !getpwnam(config->user)) {
        strbuf_add_fmt(words_out, "no such user: %s", config->user);
        return SETUP_FAILED;
    }
    apart_choose(config, &settings);
    enum setup_result result = run(&settings, &opening, words_out);
    if (result != SETUP_MADE)
        return result;
    settings.ms = patience->work_ms;
    settings.tell = NULL;
    return run(&settings, &job, words_out);
}
