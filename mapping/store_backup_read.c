/* store_backup_read.c - reading a backup: what is in it, and whether it is whole and right; see store_backup.h */
#include "mapping/store_backup_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/xmalloc.h"
#include "mapping/store_internal.h"
#include "mapping/store_part_internal.h"

enum { FOLDER_LENGTH = sizeof STORE_BACKUP_FOLDER - 1, MEMBERS_MAX = 4 * 1000 * 1000 };

static int fail_damaged(char **error_out, const char *what)
{
    store_backup_fail(error_out, "it is damaged, or no backup of Postern: %s", what);
    return -1;
}

static int fail_reading(char **error_out)
{
    store_backup_fail(error_out, "it can't be read: %s", strerror(errno));
    return -1;
}

/* Its name inside the folder. */
static const char *name_of(const struct store_backup_member *member)
{
    return member->head.name + FOLDER_LENGTH;
}

bool store_backup_is_one(int fd)
{
    uint8_t block[STORE_ARCHIVE_BLOCK];
    struct store_archive_member member;
    return store_backup_read_at(fd, block, sizeof block, 0) == 1 && store_archive_parse(block, &member) == 1 &&
           strcmp(member.name, STORE_BACKUP_FOLDER STORE_BACKUP_ABOUT) == 0;
}

/* 1 a member; 0 the end; -1 */
static int read_head(int fd, int64_t offset, int64_t size, struct store_backup_member *member, char **error_out)
{
    uint8_t block[STORE_ARCHIVE_BLOCK];
    if (offset + STORE_ARCHIVE_BLOCK > size)
        return fail_damaged(error_out, "it was cut short");
    if (store_backup_read_at(fd, block, sizeof block, offset) < 0)
        return fail_reading(error_out);
    int result = store_archive_parse(block, &member->head);
    member->offset = offset + STORE_ARCHIVE_BLOCK;
    if (result < 0)
        return fail_damaged(error_out, "a head is not one");
    if (result == 1 && strncmp(member->head.name, STORE_BACKUP_FOLDER, FOLDER_LENGTH) != 0)
        return fail_damaged(error_out, "it has files of another folder");
    if (result == 1 && member->head.size > size - member->offset)
        return fail_damaged(error_out, "it was cut short");
    return result;
}

static bool is_content(const char *name)
{
    size_t len = sizeof STORE_BACKUP_CONTENT - 1;
    return strncmp(name, STORE_BACKUP_CONTENT, len) == 0 && store_file_is_name(name + len);
}

/* The text, the database, content in order of names, the digests. */
static bool is_in_order(const struct store_backup_list *list)
{
    size_t count = list->count;
    if (count < 3 || strcmp(name_of(&list->members[0]), STORE_BACKUP_ABOUT) != 0 ||
        strcmp(name_of(&list->members[1]), STORE_BACKUP_DATABASE) != 0 ||
        strcmp(name_of(&list->members[count - 1]), STORE_BACKUP_SUMS) != 0)
        return false;
    for (size_t i = 2; i + 1 < count; i++)
        if (!is_content(name_of(&list->members[i])) ||
            (i > 2 && strcmp(name_of(&list->members[i - 1]), name_of(&list->members[i])) >= 0))
            return false;
    return true;
}

static int read_about(int fd, struct store_backup_list *list, char **error_out)
{
    char text[STORE_BACKUP_ABOUT_MAX];
    const struct store_backup_member *member = &list->members[0];
    assert(list->members);
    if (member->head.size > (int64_t)sizeof text)
        return fail_damaged(error_out, "its text about itself is too long");
    if (store_backup_read_at(fd, text, (size_t)member->head.size, member->offset) < 0)
        return fail_reading(error_out);
    int result = store_backup_about_parse(text, (size_t)member->head.size, &list->about);
    if (result == 0)
        return store_backup_fail(error_out,
                                 "it is of a newer version of Postern, in a form that this one does not know");
    return result == 1 ? 1 : fail_damaged(error_out, "its text about itself says nothing");
}

static int read_members(int fd, struct store_backup_list *list, char **error_out)
{
    struct stat info;
    size_t room = 0;
    int64_t offset = 0;
    int result = fstat(fd, &info) < 0 ? fail_reading(error_out) : 1;
    while (result == 1) {
        struct store_backup_member member = { .offset = 0 };
        result = read_head(fd, offset, info.st_size, &member, error_out);
        if (result != 1)
            break;
        if (list->count == MEMBERS_MAX)
            return fail_damaged(error_out, "it has too many files");
        if (list->count == room) {
            room = room ? 2 * room : 64;
            list->members = xreallocarray(list->members, room, sizeof *list->members);
        }
        list->members[list->count++] = member;
        offset = member.offset + store_archive_padded(member.head.size);
    }
    return result < 0 ? -1 : 1;
}

int store_backup_list_read(int fd, struct store_backup_list *list_out, char **error_out)
{
    *list_out = (struct store_backup_list){ .count = 0 };
    *error_out = NULL;
    int result = read_members(fd, list_out, error_out);
    if (result == 1 && !is_in_order(list_out))
        result = fail_damaged(error_out, "what is in it is not what belongs there");
    if (result == 1)
        result = read_about(fd, list_out, error_out);
    if (result < 0)
        store_backup_list_free(list_out);
    return result;
}

void store_backup_list_free(struct store_backup_list *list)
{
    free(list->members);
    *list = (struct store_backup_list){ .count = 0 };
}

/* Digests. */

struct verification {
    int fd;
    struct store_backup_list list;
    const struct store_backup_watch *watch;
    char **error_out;
    int64_t done, total;
};

static int digest_member(struct verification *verification, const struct store_backup_member *member,
                         char hex_out[static DIGEST_HEX_SIZE])
{
    uint8_t sum[DIGEST_SIZE];
    struct digest *digest = digest_new();
    char *piece = xmalloc(STORE_BACKUP_PIECE);
    int result = 1;
    for (int64_t at = 0; at < member->head.size && result == 1;) {
        int64_t rest = member->head.size - at;
        size_t len = rest < STORE_BACKUP_PIECE ? (size_t)rest : STORE_BACKUP_PIECE;
        result = store_backup_read_at(verification->fd, piece, len, member->offset + at);
        if (result == 1)
            digest_add(digest, piece, len);
        else
            fail_reading(verification->error_out);
        at += (int64_t)len;
        verification->done += (int64_t)len;
        store_backup_show(verification->watch, "verifying", verification->done, verification->total);
    }
    free(piece);
    digest_finish(&digest, sum);
    digest_to_hex(sum, hex_out);
    return result;
}

/* What the digests have to be is written down again, and compared line by line. */
static int check_digests(struct verification *verification)
{
    const struct store_backup_list *list = &verification->list;
    const struct store_backup_member *sums = &list->members[list->count - 1];
    int64_t at = 0;
    for (size_t i = 0; i + 1 < list->count; i++) {
        char hex[DIGEST_HEX_SIZE], stored[DIGEST_HEX_SIZE + STORE_ARCHIVE_NAME_MAX + 3];
        struct strbuf line;
        if (digest_member(verification, &list->members[i], hex) < 0)
            return -1;
        strbuf_init(&line, sizeof stored);
        strbuf_add_fmt(&line, "%s  %s\n", hex, name_of(&list->members[i]));
        bool is_right = at + (int64_t)line.len <= sums->head.size &&
                        store_backup_read_at(verification->fd, stored, line.len, sums->offset + at) == 1 &&
                        memcmp(stored, line.data, line.len) == 0;
        at += (int64_t)line.len;
        strbuf_free(&line);
        if (!is_right)
            return store_backup_fail(verification->error_out, "it is damaged: %s is not what was written",
                                     name_of(&list->members[i]));
    }
    return at == sums->head.size ? 1 : fail_damaged(verification->error_out, "there are more digests than files");
}

/* The database, read where it is. */

static int fail_database(struct verification *verification, struct store_db *db)
{
    return store_backup_fail(verification->error_out, "its database can't be read: %s", sqlite3_errmsg(db->handle));
}

static int check_schema(struct verification *verification, struct store_db *db)
{
    int64_t version, application;
    if (store_fetch_int(db, "PRAGMA user_version", NULL, &version) != 1 ||
        store_fetch_int(db, "PRAGMA application_id", NULL, &application) != 1)
        return fail_database(verification, db);
    if (application != STORE_APPLICATION_ID || version < 1 || version != verification->list.about.schema)
        return store_backup_fail(verification->error_out, "its database is not the one that it says it has");
    if (version > STORE_SCHEMA_VERSION)
        return store_fail_newer("it", version, verification->error_out);
    return 1;
}

/* The library's own check, and that no row refers to one that is not there. */
static int check_integrity(struct verification *verification, struct store_db *db)
{
    struct store_query query;
    store_query_begin(&query, db, "PRAGMA integrity_check(1)", NULL);
    int result = store_query_next(&query);
    if (result == 1 && strcmp(store_query_text(&query, 0), "ok") != 0)
        result = store_backup_fail(verification->error_out, "its database is damaged: %s", store_query_text(&query, 0));
    else if (result != 1)
        result = fail_database(verification, db);
    store_query_end(&query);
    if (result < 0)
        return -1;
    store_query_begin(&query, db, "PRAGMA foreign_key_check", NULL);
    result = store_query_next(&query);
    if (result == 1)
        store_backup_fail(verification->error_out, "its database is damaged: a row of %s refers to none",
                          store_query_text(&query, 0));
    else if (result < 0)
        fail_database(verification, db);
    store_query_end(&query);
    return result == 0 ? 1 : -1;
}

/* Both lists are in order of names. */
static int check_content(struct verification *verification, struct store_db *db)
{
    const struct store_backup_list *list = &verification->list;
    size_t next = 2, end = list->count - 1;
    int64_t missing = 0;
    struct store_query query;
    int result;
    store_query_begin(&query, db, "SELECT file, size FROM content WHERE file IS NOT NULL ORDER BY file", NULL);
    while ((result = store_query_next(&query)) == 1) {
        const char *name = store_query_text(&query, 0);
        const struct store_backup_member *member = next < end ? &list->members[next] : NULL;
        if (!member || strcmp(name_of(member) + sizeof STORE_BACKUP_CONTENT - 1, name) != 0) {
            missing++;
            continue;
        }
        if (member->head.size != store_query_int(&query, 1))
            break;
        next++;
    }
    store_query_end(&query);
    if (result < 0)
        return fail_database(verification, db);
    if (result == 1 || next != end || missing != list->about.missing_files)
        return store_backup_fail(verification->error_out,
                                 "its database and its files of content don't belong together");
    return 1;
}

static int check_database(struct verification *verification)
{
    const struct store_backup_member *member = &verification->list.members[1];
    struct store_part *part = store_part_new(verification->fd, member->offset, member->head.size);
    struct store_db *db = xcalloc(1, sizeof *db);
    int result = store_part_open(part, &db->handle) == SQLITE_OK ? 1 : fail_database(verification, db);
    if (result == 1)
        result = check_schema(verification, db);
    if (result == 1)
        result = check_integrity(verification, db);
    if (result == 1)
        result = check_content(verification, db);
    store_db_close(db);
    free(db);
    store_part_free(&part);
    return result;
}

int store_backup_verify(int fd, const struct store_backup_watch *watch, struct store_backup_about *about_out,
                        char **error_out)
{
    struct verification verification = { .fd = fd, .watch = watch, .error_out = error_out };
    *about_out = (struct store_backup_about){ .schema = 0 };
    int result = store_backup_list_read(fd, &verification.list, error_out);
    if (result != 1)
        return -1;
    for (size_t i = 0; i + 1 < verification.list.count; i++)
        verification.total += verification.list.members[i].head.size;
    *about_out = verification.list.about;
    result = check_digests(&verification);
    if (result == 1)
        result = check_database(&verification);
    store_backup_list_free(&verification.list);
    return result;
}
