/* store_look.c - see store_look.h */
#include "mapping/store_look.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/strbuf.h"

enum { STEPS_BETWEEN_LOOKS = 10000, MS_PER_S = 1000, NS_PER_MS = 1000 * 1000, URI_MAX = 3 * 4096 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static int is_time_over(void *arg)
{
    const int64_t *deadline = arg;
    return now_ms() >= *deadline;
}

/* Without a daemon nobody writes, and to say so ("immutable") keeps the library from making files beside it, which would be ours and
 * not the daemon's. */
static void make_uri(const char *path, bool is_in_use, struct strbuf *uri)
{
    static const char hex[] = "0123456789ABCDEF";
    strbuf_add_str(uri, "file:");
    for (const char *p = path; *p; p++) {
        if (strchr("%?#", *p)) {
            strbuf_add_char(uri, '%');
            strbuf_add_char(uri, hex[(unsigned char)*p >> 4]);
            strbuf_add_char(uri, hex[(unsigned char)*p & 15]);
        } else {
            strbuf_add_char(uri, *p);
        }
    }
    strbuf_add_str(uri, is_in_use ? "?mode=ro" : "?mode=ro&immutable=1");
}

static int check(sqlite3 *handle, struct strbuf *problems)
{
    sqlite3_stmt *statement = NULL;
    int result = -1, step = sqlite3_prepare_v2(handle, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (step == SQLITE_OK && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        result = text && strcmp(text, "ok") == 0 ? 1 : -1;
        if (result < 0)
            strbuf_add_fmt(problems, "damaged: %.500s", text ? text : "no details");
    } else if (step == SQLITE_INTERRUPT || step == SQLITE_BUSY) {
        strbuf_add_str(problems,
                       step == SQLITE_BUSY ? "somebody else has locked it" : "too large to be looked at here");
        result = 0;
    } else {
        strbuf_add_fmt(problems, "it can't be read: %s", sqlite3_errmsg(handle));
    }
    sqlite3_finalize(statement);
    return result;
}

/* A log beside the file that nobody has open: the daemon was killed, perhaps while it moved pages from there into the file. */
static bool has_log(const char *path)
{
    struct stat info;
    struct strbuf log;
    strbuf_init(&log, URI_MAX);
    strbuf_add_fmt(&log, "%s-wal", path);
    bool has = strbuf_ok(&log) && stat(log.data, &info) == 0 && info.st_size > 0;
    strbuf_free(&log);
    return has;
}

int store_look(const char *path, bool is_in_use, int64_t ms, struct strbuf *problems_out)
{
    int64_t deadline = now_ms() + ms;
    sqlite3 *handle = NULL;
    struct strbuf uri;
    strbuf_init(&uri, URI_MAX);
    make_uri(path, is_in_use, &uri);
    int result = -1;
    if (!strbuf_ok(&uri) ||
        sqlite3_open_v2(uri.data, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) != SQLITE_OK) {
        strbuf_add_fmt(problems_out, "it can't be opened: %s", handle ? sqlite3_errmsg(handle) : "out of memory");
    } else {
        sqlite3_progress_handler(handle, STEPS_BETWEEN_LOOKS, is_time_over, &deadline);
        result = check(handle, problems_out);
    }
    sqlite3_close(handle);
    strbuf_free(&uri);
    if (result < 0 && !is_in_use && has_log(path)) { /* with which it may well be whole */
        strbuf_clear(problems_out);
        strbuf_add_str(problems_out,
                       "it was not closed in order; posternd puts that right when it starts: look again then");
        result = 0;
    }
    return result;
}
