/* store_archive.c - see store_archive.h */
#include "mapping/store_archive.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* POSIX.1-2017, pax, "ustar Interchange Format". */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link_name[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == STORE_ARCHIVE_BLOCK, "a header is a block");

static const char magic[6] = "ustar";
enum { TYPE_FILE = '0', BASE_256 = 0x80 };

/* Octal digits with a NUL behind them. false: it has too many. */
static bool write_octal(char *out, size_t width, uint64_t number)
{
    out[width - 1] = 0;
    for (size_t i = width - 1; i-- > 0; number >>= 3)
        out[i] = (char)('0' + (number & 7));
    return number == 0;
}

static void write_number(char *out, size_t width, uint64_t number)
{
    if (write_octal(out, width, number))
        return;
    for (size_t i = width; i-- > 1; number >>= 8)
        out[i] = (char)(number & 0xff);
    out[0] = (char)BASE_256;
}

/* Digits, then NULs or spaces. */
static bool read_octal(const char *in, size_t width, uint64_t *number_out)
{
    size_t i = 0;
    *number_out = 0;
    for (; i < width && in[i] >= '0' && in[i] <= '7'; i++)
        *number_out = *number_out << 3 | (uint64_t)(in[i] - '0');
    bool has_digits = i > 0;
    while (i < width && (in[i] == 0 || in[i] == ' '))
        i++;
    return has_digits && i == width;
}

static bool read_number(const char *in, size_t width, uint64_t *number_out)
{
    if ((uint8_t)in[0] != BASE_256)
        return read_octal(in, width, number_out);
    *number_out = 0;
    for (size_t i = 1; i < width; i++) {
        if (*number_out >> 55)
            return false;
        *number_out = *number_out << 8 | (uint8_t)in[i];
    }
    return true;
}

/* Of all octets, those of the checksum itself counted as spaces. */
static uint64_t sum(const uint8_t block[static STORE_ARCHIVE_BLOCK])
{
    size_t start = offsetof(struct header, checksum), end = offsetof(struct header, type);
    uint64_t total = 0;
    for (size_t i = 0; i < STORE_ARCHIVE_BLOCK; i++)
        total += i >= start && i < end ? ' ' : block[i];
    return total;
}

void store_archive_compose(const struct store_archive_member *member, int64_t at_s,
                           uint8_t block_out[static STORE_ARCHIVE_BLOCK])
{
    struct header header = { .type = TYPE_FILE };
    memcpy(header.name, member->name, strlen(member->name));
    write_number(header.mode, sizeof header.mode, 0600);
    write_number(header.uid, sizeof header.uid, 0);
    write_number(header.gid, sizeof header.gid, 0);
    write_number(header.size, sizeof header.size, (uint64_t)member->size);
    write_number(header.mtime, sizeof header.mtime, at_s < 0 ? 0 : (uint64_t)at_s);
    memcpy(header.magic, magic, sizeof magic);
    memcpy(header.version, "00", 2);
    write_number(header.major, sizeof header.major, 0);
    write_number(header.minor, sizeof header.minor, 0);
    memcpy(block_out, &header, sizeof header);
    (void)write_octal(header.checksum, sizeof header.checksum - 1, sum(block_out)); /* six digits, NUL, space */
    header.checksum[sizeof header.checksum - 1] = ' ';
    memcpy(block_out, &header, sizeof header);
}

/* Nothing that leads elsewhere, or could steer a terminal. */
static bool is_good_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return name[0] && name[0] != '/' && !strstr(name, "..");
}

int store_archive_parse(const uint8_t block[static STORE_ARCHIVE_BLOCK], struct store_archive_member *member_out)
{
    static const uint8_t zeros[STORE_ARCHIVE_BLOCK];
    struct header header;
    uint64_t checksum, size;
    *member_out = (struct store_archive_member){ .size = 0 };
    if (memcmp(block, zeros, sizeof zeros) == 0)
        return 0;
    memcpy(&header, block, sizeof header);
    if (!read_octal(header.checksum, sizeof header.checksum, &checksum) || checksum != sum(block) ||
        memcmp(header.magic, magic, sizeof magic) != 0 || header.type != TYPE_FILE || header.prefix[0] ||
        header.name[STORE_ARCHIVE_NAME_MAX] || !read_number(header.size, sizeof header.size, &size) ||
        size > INT64_MAX / 2)
        return -1;
    memcpy(member_out->name, header.name, sizeof member_out->name);
    member_out->size = (int64_t)size;
    return is_good_name(member_out->name) ? 1 : -1;
}

int64_t store_archive_padded(int64_t size)
{
    return (size + STORE_ARCHIVE_BLOCK - 1) / STORE_ARCHIVE_BLOCK * STORE_ARCHIVE_BLOCK;
}
