/* setup_store.c - work in the database while no daemon has it; see setup.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/service.h"
#include "gateway/setup.h"
#include "mapping/store.h"

enum { WORDS_MAX = 2000, PATH_SIZE = 5000, PIECE_SIZE = 1024 };

static enum setup_result open_and_work(const struct config *config, setup_work *work, void *ctx, struct strbuf *words)
{
    struct strbuf path;
    enum setup_result result;
    char *error = NULL;
    umask(077);
    struct stat folder;
    int became = config->user                           ? service_become(config->user, &error)
                 : stat(config->state_dir, &folder) < 0 ? 1
                                                        : service_act_as(folder.st_uid, folder.st_gid, true, &error);
    if (became < 0) {
        strbuf_add_str(words, error);
        free(error);
        return SETUP_FAILED;
    }
    struct clock *clock = clock_new_system();
    struct loop *loop = loop_new(clock);
    strbuf_init(&path, PATH_SIZE);
    strbuf_add_fmt(&path, "%s/postern.db", config->state_dir);
    struct store *store = store_open(loop, path.data, &error);
    if (store) {
        result = work(loop, store, ctx, words);
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

static void say_nothing(enum log_level level, const char *line, void *ctx)
{
    (void)level;
    (void)line;
    (void)ctx;
}

static _Noreturn void be_child(const struct config *config, setup_work *work, void *ctx, int out)
{
    struct strbuf words;
    strbuf_init(&words, WORDS_MAX);
    log_set_sink(say_nothing, NULL); /* what counts is in the words */
    const uint8_t result = (uint8_t)open_and_work(config, work, ctx, &words);
    bool ok = file_write_all(out, &result, 1) == 1 && file_write_all(out, words.data, words.len) == 1;
    _exit(ok ? 0 : 1);
}

enum setup_result setup_in_store(const struct config *config, setup_work *work, void *ctx, struct strbuf *words_out)
{
    struct strbuf said;
    int ends[2], status;
    uint8_t result = SETUP_FAILED;
    char piece[PIECE_SIZE];
    ssize_t n;
    if (pipe(ends) < 0) {
        strbuf_add_str(words_out, strerror(errno));
        return SETUP_FAILED;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        be_child(config, work, ctx, ends[1]);
    }
    close(ends[1]);
    if (pid < 0 || read(ends[0], &result, 1) != 1) {
        result = SETUP_FAILED;
        strbuf_add_str(words_out, pid < 0 ? strerror(errno) : "it ended without a word");
    }
    strbuf_init(&said, WORDS_MAX);
    while (pid > 0 && (n = read(ends[0], piece, sizeof piece)) > 0)
        strbuf_add(&said, piece, (size_t)n);
    (void)admin_output_add_clean(words_out, said.data, said.len, false); /* a silo's words may be among them */
    strbuf_free(&said);
    close(ends[0]);
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
    return (enum setup_result)result;
}
