/* store_recipients.c - see store_recipients.h */
#include "mapping/store_recipients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/store_address.h"
#include "mapping/store_internal.h"

enum { PATH_TEXT_MAX = 4096, FILE_MODE = 0644 };

/* The first statement says what the file is, the last that it is whole. */
static const char schema[] = "PRAGMA application_id = 0x506f7352;" /* "PosR" */
                             "CREATE TABLE recipient ("
                             "  address TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,"
                             "  expires_at INTEGER NOT NULL"
                             ") STRICT, WITHOUT ROWID;"
                             "CREATE VIEW postfix_recipient (address, expires_at) AS"
                             "  SELECT address, nullif(expires_at, 0) FROM recipient"
                             "  WHERE expires_at = 0 OR expires_at > CAST(strftime('%s', 'now') AS INTEGER) * 1000;";
static const char finish[] = "PRAGMA user_version = 1;";
static const int64_t application_id = 0x506f7352;

struct publication {
    struct store_db source, target;
    const char *domain;
    struct store_recipients_result *result;
};

int store_recipients_get_change(struct store_db *db, int64_t *change_out)
{
    return store_fetch_int(db, "SELECT count FROM recipient_change WHERE id = 1", NULL, change_out) == 1 ? 1 : -1;
}

static int run(struct store_db *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 1 : store_db_failed(db, sql);
}

static void say(struct store_recipients_result *result, const char *what, const char *path, const char *why)
{
    struct strbuf text;
    if (result->error)
        return; /* the first reason counts */
    strbuf_init(&text, 2 * PATH_TEXT_MAX);
    strbuf_add_fmt(&text, "%s %s: %s", what, path, why);
    result->error = strbuf_detach(&text);
}

static int want(struct publication *publication, struct strbuf *address, const char *local_part, int64_t expires_at)
{
    strbuf_clear(address);
    strbuf_add_fmt(address, "%s@%s", local_part, publication->domain);
    publication->result->count++;
    return store_execute(&publication->target, "INSERT INTO wanted (address, expires_at) VALUES (?, ?)",
                         STORE_VALUES(bind_text(address->data), bind_int(expires_at)));
}

/* Copies what is open into a table of the target's connection that no file has. */
static int collect(struct publication *publication)
{
    struct store_query open;
    struct strbuf address;
    int more, result;
    if (run(&publication->target,
            "CREATE TEMP TABLE wanted (address TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, expires_at INTEGER NOT NULL)"
            " WITHOUT ROWID") < 0)
        return -1;
    strbuf_init(&address, 1000);
    result = want(publication, &address, STORE_ADDRESS_BOUNCES, 0); /* which token is right is RCPT's to say */
    store_query_begin(&open, &publication->source, "SELECT local_part, expires_at FROM open_recipient", NULL);
    while ((more = store_query_next(&open)) == 1 && result == 1)
        result = want(publication, &address, store_query_text(&open, 0), store_query_int(&open, 1));
    store_query_end(&open);
    strbuf_free(&address);
    return more < 0 ? -1 : result;
}

/* One view of the source: the number and the rows belong together. */
static int read_source(struct publication *publication)
{
    if (run(&publication->source, "BEGIN") < 0)
        return -1;
    int result = store_recipients_get_change(&publication->source, &publication->result->change);
    if (result == 1)
        result = collect(publication);
    if (result < 0)
        say(publication->result, "can't read", "the database", sqlite3_errmsg(publication->source.handle));
    return run(&publication->source, "COMMIT") < 0 ? -1 : result;
}

/* Rows that are right are not touched: the fewer pages are written, the shorter readers are locked out. */
static int write_target(struct publication *publication)
{
    struct store_db *target = &publication->target;
    int result = run(target, "BEGIN IMMEDIATE");
    if (result < 0)
        return -1;
    if (run(target, "DELETE FROM recipient WHERE address NOT IN (SELECT address FROM wanted)") < 0 ||
        run(target, "INSERT INTO recipient (address, expires_at) SELECT address, expires_at FROM wanted WHERE true"
                    " ON CONFLICT (address) DO UPDATE SET expires_at = excluded.expires_at"
                    " WHERE expires_at <> excluded.expires_at") < 0 ||
        run(target, "COMMIT") < 0)
        result = -1;
    if (result < 0 && !sqlite3_get_autocommit(target->handle) && run(target, "ROLLBACK") < 0)
        log_error("store.error", "doing=%s", "rolling back");
    return result;
}

/* In place: nothing is synced, see the header. Content is small, and temporary tables belong in memory. */
static const char settings[] = "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA synchronous = OFF;";

/* Of a target that can't be read: 0 it is no database, or a damaged one, -1 it may be a good one. */
static int judge_failure(const struct store_db *target)
{
    int code = sqlite3_errcode(target->handle);
    return code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? 0 : -1;
}

/* 1 it is ours, and not damaged; 0 it has to be made anew; -1 it can't be read */
static int judge_target(struct store_db *target)
{
    int64_t id, version, problems;
    if (run(target, settings) < 0 || store_fetch_int(target, "PRAGMA application_id", NULL, &id) != 1 ||
        store_fetch_int(target, "PRAGMA user_version", NULL, &version) != 1)
        return judge_failure(target);
    if (id != application_id || version != STORE_RECIPIENTS_VERSION)
        return 0;
    if (store_fetch_int(target, "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'", NULL, &problems) !=
        1)
        return judge_failure(target);
    return problems == 0;
}

static bool is_file(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
}

/* 1 it was brought up to date, 0 it has to be made, -1 the source could not be read, or the target not be written */
static int update_in_place(struct publication *publication, const char *path)
{
    struct store_db *target = &publication->target;
    if (!is_file(path))
        return 0;
    int result = store_db_open(target, path, true);
    if (result == 1)
        result = judge_target(target);
    if (result == 1 && (read_source(publication) < 0 || write_target(publication) < 0))
        result = -1;
    if (result == 1)
        (void)chmod(path, FILE_MODE); /* a file that came back from a backup may have lost it; its owner can do it */
    if (result < 0)
        say(publication->result, "can't update", path, sqlite3_errmsg(target->handle));
    store_db_close(target);
    return result;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Whoever else may make files there could say what Postfix takes mail for, and could lay a journal beside the file, whose
 * text may make SQLite remove any other file that we may. A folder that is not there is not judged. */
static bool is_safe_place(const char *path)
{
    char *directory = directory_of(path);
    struct stat info;
    bool is_ours = stat(directory, &info) < 0 ||
                   ((info.st_uid == geteuid() || info.st_uid == 0) && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0);
    free(directory);
    return is_ours;
}

/* An empty file of the right mode, whatever the umask says. */
static int make_file(const char *path)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    int result = fd >= 0 && fchmod(fd, FILE_MODE) == 0 ? 1 : -1;
    if (fd >= 0)
        close(fd);
    return result;
}

static int fill_new(struct publication *publication, const char *path)
{
    struct store_db *target = &publication->target;
    int result = store_db_open(target, path, true);
    if (result == 1 &&
        (run(target, "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL;") < 0 || run(target, schema) < 0 ||
         read_source(publication) < 0 || write_target(publication) < 0 || run(target, finish) < 0)) {
        say(publication->result, "can't write", path, sqlite3_errmsg(target->handle));
        result = -1;
    }
    store_db_close(target);
    return result;
}

/* Under another name until it is whole. What SQLite may have left beside the old one must not be taken for the new one's. */
static int make_anew(struct publication *publication, const char *path)
{
    struct strbuf fresh, journal;
    strbuf_init(&fresh, PATH_TEXT_MAX);
    strbuf_init(&journal, PATH_TEXT_MAX);
    strbuf_add_fmt(&fresh, "%s.new", path);
    strbuf_add_fmt(&journal, "%s-journal", path);
    int result = make_file(fresh.data);
    if (result == 1)
        result = fill_new(publication, fresh.data);
    if (result == 1 && ((unlink(journal.data) < 0 && errno != ENOENT) || rename(fresh.data, path) < 0 ||
                        file_sync_directory_of(path) < 0))
        result = -1;
    if (result < 0)
        say(publication->result, "can't make", path, strerror(errno));
    publication->result->made_anew = result == 1;
    strbuf_free(&fresh);
    strbuf_free(&journal);
    return result;
}

int store_recipients_publish(const char *database, const char *domain, const char *path,
                             struct store_recipients_result *result_out)
{
    struct publication publication = { .domain = domain, .result = result_out };
    *result_out = (struct store_recipients_result){ .count = 0 };
    int result = -1;
    if (store_db_open(&publication.source, database, false) < 0)
        say(result_out, "can't read", database, sqlite3_errmsg(publication.source.handle));
    else if (is_safe_place(path))
        result = update_in_place(&publication, path);
    else
        say(result_out, "can't keep", path, "others may write to its folder");
    if (result == 0)
        result = make_anew(&publication, path);
    store_db_close(&publication.source);
    return result;
}
