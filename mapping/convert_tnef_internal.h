/* convert_tnef_internal.h - the rooms of convert_tnef.h: a checked cursor, MAPI properties, RTF, messages in it
 *
 * Nothing is read but through the cursor, which knows how much is left. Pure functions over memory. Internal to
 * mapping/convert_tnef*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "mapping/convert_tnef.h"

/* ---- convert_tnef_property.c: the cursor, and properties ([MS-OXTNEF] section 2.1.3.4) ---- */

struct tnef_cursor {
    const uint8_t *at;
    size_t left;
    bool is_over; /* more was asked for than there is: what came out since is zero */
};

struct tnef_cursor tnef_cursor_of(const void *data, size_t len);
uint32_t tnef_take_number(struct tnef_cursor *cursor, size_t octets); /* 1, 2 or 4; little-endian */
uint64_t tnef_take_long(struct tnef_cursor *cursor);                  /* 8 */
const uint8_t *tnef_take(struct tnef_cursor *cursor, size_t len);     /* NULL when there is less, even for 0 */

enum tnef_type {
    TNEF_SHORT = 2,
    TNEF_NUMBER = 3,
    TNEF_BOOLEAN = 0x0B,
    TNEF_OBJECT = 0x0D,
    TNEF_STRING8 = 0x1E,
    TNEF_UNICODE = 0x1F,
    TNEF_TIME = 0x40,
    TNEF_BINARY = 0x102,
};

struct tnef_property {
    unsigned type;
    unsigned id;        /* of a named one: 0x8000 and more */
    const uint8_t *set; /* GUID of a named one; NULL */
    uint32_t name;      /* of a named one: its number; 0 when it has letters */
    const uint8_t *data;
    size_t len; /* of the first value */
};

/* The next of a list, of which *left are to come. False at the end, or when it is damaged (the cursor is over then). */
bool tnef_property_next(struct tnef_cursor *cursor, uint32_t *left, struct tnef_property *property_out);
uint64_t tnef_property_number(const struct tnef_property *property); /* 0 when it is none */

/* Appends text of a code page (its number) as UTF-8, without the NULs at its end. */
void tnef_decode(struct convert_charsets *charsets, unsigned code_page, const void *data, size_t len,
                 struct strbuf *out);
/* Of any of the string types, or binary in that code page; false when it is no text. */
bool tnef_property_text(struct convert_charsets *charsets, unsigned code_page, const struct tnef_property *property,
                        struct strbuf *out);
enum { TNEF_UTF16 = 1200, TNEF_WESTERN = 1252 };

/* ---- convert_tnef_rtf.c ---- */

enum tnef_rtf { TNEF_RTF_DAMAGED, TNEF_RTF_PLAIN, TNEF_RTF_TEXT, TNEF_RTF_HTML };

/* Appends what was compressed; false when it is damaged, or longer than out may be (what could be had is in out). */
bool tnef_rtf_expand(const void *data, size_t len, struct strbuf *out);
/* Appends the HTML that the RTF was made of, or its text. Says which; PLAIN is RTF in its own right. *is_cut_out: text was left
 * out because its groups are nested more than 100 deep. */
enum tnef_rtf tnef_rtf_read(struct convert_charsets *charsets, const char *rtf, size_t len, struct strbuf *out,
                            bool *is_cut_out);

/* ---- convert_tnef.c ---- */

struct tnef_message {
    struct convert_tnef *result;
    struct convert_charsets *charsets;
    unsigned code_page;  /* of strings in it */
    unsigned html_page;  /* of its HTML; 0: not said */
    unsigned depth;      /* messages around it */
    size_t room;         /* left, for all that is unpacked */
    char *message_class; /* "" */
    struct tnef_header {
        char *from_name, *from_address, *message_id; /* UTF-8, one line; NULL: not there */
        struct strbuf to, cc;                        /* as fields of a mail's header have them */
        size_t recipients;
        int64_t sent; /* seconds since 1970; 0 */
    } header;         /* for a message in a message */
};

/* ---- convert_tnef_mail.c ---- */

/* Appends a mailbox for a header field, behind a comma when there are some already. address NULL, or none that can be
 * written: the name of an empty group. */
void tnef_mail_add_mailbox(struct strbuf *out, const char *name, const char *address);
/* Writes a message that was read as a mail, 7-bit, with CRLF. False: more than out may hold. */
bool tnef_mail_write(const struct tnef_message *message, struct strbuf *out);

/* ---- convert_tnef_meeting.c ---- */

/* Takes what a property says of a meeting, whatever the message's class is. */
void tnef_meeting_add(struct tnef_message *message, const struct tnef_property *property);
/* Keeps it if the class is one of those of meetings. */
void tnef_meeting_end(struct tnef_message *message);
void tnef_meeting_free(struct convert_tnef_meeting **meeting);
int64_t tnef_seconds(uint64_t filetime); /* since 1970; 0 for what is no time */
