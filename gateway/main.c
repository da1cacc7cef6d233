/* main.c - posternd: the gateway daemon */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/resolver.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/service.h"
#include "gateway/silo_token.h"
#include "gateway/verify.h"
#include "mapping/convert.h"

#define DEFAULT_CONFIG "/etc/postern/postern.conf"

struct options {
    const char *config_file;
    bool test_only, debug;
};

static void print_usage(FILE *to)
{
    fputs("usage: posternd [-c FILE] [-t] [-d] [-V]\n"
          "  -c FILE  configuration (default " DEFAULT_CONFIG ")\n"
          "  -t       test the configuration and exit: 0 good, 78 not\n"
          "  -d       log debug messages too\n"
          "  -V       print the version and exit\n",
          to);
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct options *options)
{
    int c;
    while ((c = getopt(argc, argv, "c:tdVh")) != -1) {
        switch (c) {
        case 'c':
            options->config_file = optarg;
            break;
        case 't':
            options->test_only = true;
            break;
        case 'd':
            options->debug = true;
            break;
        case 'V':
            puts("posternd " POSTERN_VERSION);
            return EX_OK;
        case 'h':
            print_usage(stdout);
            return EX_OK;
        default:
            print_usage(stderr);
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "posternd: unexpected argument \"%s\"\n", argv[optind]);
        print_usage(stderr);
        return EX_USAGE;
    }
    return -1;
}

/* Nothing wrong with it, if the gateway has an account already; but who tests the configuration may wait for it in vain. */
static void note_missing_token(const struct config *config)
{
    char *oidc = NULL, *error = NULL;
    const char *file = config->silo.oidc_token_file;
    if (file && silo_token_read(file, &oidc, &error) == 0)
        fprintf(stderr, "posternd: note: silo: oidc_token_file: %s, unless the gateway has registered already\n",
                error);
    free(oidc);
    free(error);
}

static int fail(const char *what, char *error)
{
    log_error("daemon.failed", "step=%s error=%s", what, error ? error : "unknown");
    fprintf(stderr, "posternd: %s\n", error ? error : what);
    free(error);
    return EXIT_FAILURE;
}

/* The state is none that this program can use, whatever happens: a service manager must not try again and again. */
static int status_of(int started)
{
    return started == 0 ? EX_CONFIG : EXIT_FAILURE;
}

static int run(struct config *config, bool debug)
{
    char *error = NULL;
    char *user = config->user; /* owned by config, which the gateway keeps */
    struct gateway *gateway = gateway_new(config, debug, &error);
    if (!gateway)
        return fail("listeners", error);
    if (service_become(user, &error) < 0 || service_lock(&error) < 0) {
        gateway_free(&gateway);
        return fail("user", error);
    }
    if (geteuid() == 0)
        log_warning("daemon.root", "hint=%s", "running as root; set user in the configuration");
    int started = gateway_start(gateway, &error);
    if (started != 1) {
        gateway_free(&gateway);
        (void)fail("start", error);
        return status_of(started);
    }
    gateway_run(gateway);
    gateway_free(&gateway);
    (void)log_flush();
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options = { .config_file = DEFAULT_CONFIG };
    struct strbuf problems;
    file_open_standard_streams();
    if (argc == 2 && strcmp(argv[1], CONVERT_WORKER_ARGUMENT) == 0)
        convert_worker_main();
    if (argc == 2 && strcmp(argv[1], RESOLVER_ARGUMENT) == 0)
        resolver_main();
    if (argc == 2 && strcmp(argv[1], VERIFY_WORKER_ARGUMENT) == 0)
        verify_worker_main();

    int status = read_options(argc, argv, &options);
    if (status >= 0)
        return status;
    strbuf_init(&problems, 256 * 1024);
    struct config *config = config_load(options.config_file, &problems);
    if (!config) {
        fputs(problems.data, stderr);
        strbuf_free(&problems);
        return EX_CONFIG;
    }
    strbuf_free(&problems);
    if (options.test_only) {
        note_missing_token(config);
        config_free(&config);
        return EX_OK;
    }
    umask(077);
    signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is a disk that is full, not the end */
    log_open(config->log.target, config->log.socket);
    xmalloc_keep_freed();
    return run(config, options.debug);
}
