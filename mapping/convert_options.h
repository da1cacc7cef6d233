/* convert_options.h - what the daemon knows of a mail that is to be converted, and the mail does not say */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Which form of a text that comes in several is shown. */
enum convert_body_choice {
    CONVERT_BODY_AUTO, /* HTML when it has what the plain text lacks */
    CONVERT_BODY_TEXT,
    CONVERT_BODY_HTML,
};

/* What becomes of the older messages that a mail quotes. */
enum convert_history_mode {
    CONVERT_HISTORY_FOLD, /* they move to the end */
    CONVERT_HISTORY_KEEP,
};

/* All zero: nothing is known. */
struct convert_in_options {
    bool is_automatic; /* a program wrote it */
    enum convert_body_choice body;
    enum convert_history_mode history;
    const char *const *known; /* normalised addresses of everybody who is in the thread, or was named in it before */
    size_t known_count;
    bool names_others; /* other people in To and Cc are named at the top */
};
