/* tmtp_main_silo.c - `tmtp silo`: the embedded silo as a program */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "tmtp/tmtp_main.h"
#include "tmtp/tmtp_silo.h"

static void on_signal(int signo, void *arg)
{
    (void)signo;
    loop_stop(arg);
}

enum main_exit main_silo(const struct main_options *options)
{
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
    return code;
}
