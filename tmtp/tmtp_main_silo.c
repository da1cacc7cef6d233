/* tmtp_main_silo.c - `tmtp silo`: the embedded silo as a program */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "tmtp/tmtp_main.h"
#include "tmtp/tmtp_silo.h"

enum { PATH_LIMIT = 4096 };

static void on_signal(int signo, void *arg)
{
    (void)signo;
    loop_stop(arg);
}

/* Two silos with one state would each forget what the other does. The descriptor that holds the lock; -1 (said why). */
static int lock_state(const char *folder)
{
    struct strbuf path;
    strbuf_init(&path, PATH_LIMIT);
    strbuf_add_fmt(&path, "%s/lock", folder);
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        main_complain("%s: %s", folder, strerror(errno));
    int fd = strbuf_ok(&path) ? open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    bool is_busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd < 0)
        main_complain("%s: %s", path.data, strerror(errno));
    else if (is_busy)
        main_complain("%s: another silo is at work with this state", folder);
    if (is_busy) {
        close(fd);
        fd = -1;
    }
    strbuf_free(&path);
    return fd;
}

enum main_exit main_silo(const struct main_options *options)
{
    int lock = lock_state(options->state);
    if (lock < 0)
        return MAIN_REFUSED;
    struct clock *clock = clock_new_system();
    struct loop *loop = loop_new(clock);
    struct loop_signal *terminate = loop_signal_new(loop, SIGTERM, on_signal, loop);
    struct loop_signal *interrupt = loop_signal_new(loop, SIGINT, on_signal, loop);
    const struct tmtp_silo_settings settings = {
        .loop = loop, .listen = options->listen, .state_dir = options->state, .name = options->name
    };
    char *error = NULL;
    struct tmtp_silo *silo = tmtp_silo_new(&settings, &error);
    if (silo != NULL) {
        printf("ready %s\n", tmtp_silo_address(silo));
        fflush(stdout);
        loop_run(loop);
    } else {
        main_complain("%s", error);
    }
    enum main_exit code = silo != NULL ? MAIN_DONE : MAIN_REFUSED;
    free(error);
    tmtp_silo_free(&silo);
    loop_signal_free(&terminate);
    loop_signal_free(&interrupt);
    loop_free(&loop);
    clock_free(&clock);
    close(lock);
    return code;
}
