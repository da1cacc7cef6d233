/* smtp_parser.h - command lines and message content as they stand on the wire (RFC 5321 sections 4.1 and 4.5.2)
 *
 * Bytes in, slices out: no I/O, no memory of its own. All slices point into the input and live as long as it does.
 * Commands are read with the tolerances that real senders need (space after the colon, addresses without brackets,
 * trailing spaces) and none that changes what a line means. Content is read with no tolerance at all.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 5321 asks for 512 octets, extensions add to that (SIZE, BODY, SMTPUTF8: less than 100); with CRLF. */
enum { SMTP_LINE_MAX = 2048 };

struct smtp_command {
    const char *verb;
    size_t verb_len;
    const char *args; /* without the spaces around them; not NUL-terminated */
    size_t args_len;  /* 0: none */
};

/* line: without its end. 1 ok; -1 not a command: empty, starting with a space, with control characters, or not UTF-8.
 * Whether the verb means anything is for others to say. */
int smtp_parse_command(const char *line, size_t len, struct smtp_command *command_out)
    __attribute__((warn_unused_result));

/* What MAIL and RCPT are called with: `FROM:<path> parameters`. */
struct smtp_path {
    const char *mailbox; /* without brackets and source route; not yet looked into */
    size_t mailbox_len;  /* 0: the null path <> */
    const char *params;
    size_t params_len;
};

/* keyword: "FROM" or "TO". 1 ok; -1 keyword or colon missing, brackets or quotes unbalanced, nothing that could be a
 * path. Source routes (RFC 5321 appendix C) are dropped. */
int smtp_parse_path(const char *args, size_t len, const char *keyword, struct smtp_path *path_out)
    __attribute__((warn_unused_result));

/* Length of the well-formed UTF-8 sequence (RFC 3629) that text starts with; 0 if there is none. */
size_t smtp_utf8_sequence(const char *text, size_t len);

/* Content between DATA's 354 and the final dot. Only CRLF starts a line, so only CRLF.CRLF ends the content; whatever
 * else looks like an end to somebody (that is how mail is smuggled) is content, and smtp_content.h will say what is
 * wrong with it. */
enum smtp_data_event {
    SMTP_DATA_MORE,  /* all input is consumed; feed more */
    SMTP_DATA_CHUNK, /* a piece of content, dots unstuffed */
    SMTP_DATA_END,   /* the final dot was read; what remains of the input are commands */
};

struct smtp_data_decoder {
    enum {
        SMTP_DATA_LINE_START, /* at the start, or after CRLF: a dot is special here and nowhere else */
        SMTP_DATA_TEXT,       /* inside a line */
        SMTP_DATA_CR,         /* inside a line, after CR: LF ends it */
        SMTP_DATA_DOT,        /* after the dot that starts a line */
        SMTP_DATA_DOT_CR,     /* after that dot and CR: LF ends the content */
        SMTP_DATA_STRAY_CR,   /* it did not come: the CR that was held back is content */
    } state;
};

void smtp_data_decoder_init(struct smtp_data_decoder *decoder);
/* Consumes from *input (advances it, shrinks *len) up to the next event. The chunk is a slice of the input, or
 * a constant. */
enum smtp_data_event smtp_data_feed(struct smtp_data_decoder *decoder, const uint8_t **input, size_t *len,
                                    const uint8_t **chunk_out, size_t *chunk_len_out);
