/* store_archive.h - the form of a backup: a tar archive (POSIX.1-1988 "ustar"), of which only what backups need
 *
 * Pure: blocks of 512 octets in, members out. Members are plain files; one of 8 GiB or more has its size in base 256, as GNU tar,
 * bsdtar and Python write and read it. A member's data is filled up with zeros to a whole block; two blocks of zeros are
 * the end.
 */
#pragma once
#include <stdint.h>

enum { STORE_ARCHIVE_BLOCK = 512, STORE_ARCHIVE_NAME_MAX = 99 };

struct store_archive_member {
    char name[STORE_ARCHIVE_NAME_MAX + 1];
    int64_t size;
};

/* The block before a member's data; mode 0600, of nobody. at_s: seconds since 1970. */
void store_archive_compose(const struct store_archive_member *member, int64_t at_s,
                           uint8_t block_out[static STORE_ARCHIVE_BLOCK]);
/* 1 a plain file; 0 a block of zeros; -1 neither, or damaged: its checksum says so, or its name is empty, not ASCII, absolute or has ".."
 * in it. */
int store_archive_parse(const uint8_t block[static STORE_ARCHIVE_BLOCK], struct store_archive_member *member_out);
/* With what fills it up. */
int64_t store_archive_padded(int64_t size);
