/* store_backup_about.h - what a backup says of itself: its first member, a text for people and programs
 *
 *   Postern backup
 *   format 1
 *   version 0.1.0
 *   schema 1
 *   created 2026-11-26T13:20:00.000Z
 *   database 1048576
 *   content-files 2
 *   content-octets 734003
 *   missing-files 0
 *   audit-head 17:9f86d081884c7d65...
 *
 * Pure. Lines of later versions that this one does not know are passed over; a later format is refused.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct strbuf;

enum { STORE_BACKUP_FORMAT = 1, STORE_BACKUP_ABOUT_MAX = 4096 };

struct store_backup_about {
    char version[40]; /* of the Postern that made it */
    int64_t schema;   /* of the database */
    int64_t created_at;
    int64_t database_size;               /* octets */
    int64_t content_files, content_size; /* large content */
    int64_t missing_files;               /* that the database names and that were gone already */
    char audit_head[100];                /* ID:HASH, as `audit verify --head` takes it; "" for an empty log */
};
void store_backup_about_write(const struct store_backup_about *about, struct strbuf *out);
/* 1; 0 it is of a later format; -1 it is no such text. */
int store_backup_about_parse(const char *text, size_t len, struct store_backup_about *about_out)
    __attribute__((warn_unused_result));
