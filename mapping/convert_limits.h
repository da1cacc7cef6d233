/* convert_limits.h - the ceilings of content conversion, in one place
 *
 * Every size and count that a correspondent or a member controls has its limit here; what lies beyond is
 * carried in another form (attached instead of shown, the original instead of its parts) and named in the message.
 * Internal to mapping/convert*.
 */
#pragma once

enum {
    /* Mail as received. */
    CONVERT_HEADER_MAX = 256 * 1024,      /* octets of one part's header section */
    CONVERT_FIELDS_MAX = 1000,            /* fields in one header section */
    CONVERT_CONTENT_FIELD_MAX = 8 * 1024, /* octets of one Content-* field */
    CONVERT_DEPTH_MAX = 50,               /* nested multiparts */
    CONVERT_PARTS_MAX = 1000,             /* parts of all kinds */
    CONVERT_TEXT_MAX = 4 * 1024 * 1024,   /* a text or HTML part beyond is attached */
    CONVERT_TEXT_URL_MAX = 4096,          /* octets of an address in plain text: it ends there */

    /* HTML. */
    CONVERT_HTML_MAX = 24 * 1024 * 1024,         /* octets, pictures in it included; what is larger is attached */
    CONVERT_HTML_DEPTH_MAX = 200,                /* deeper elements are taken as plain text */
    CONVERT_HTML_ELEMENTS_MAX = 500 * 1000,      /* further ones likewise */
    CONVERT_HTML_TEXTS_MAX = 500 * 1000,         /* pieces of text between tags; a document with more is attached */
    CONVERT_HTML_RULES_MAX = 4000,               /* of its style sheets; further ones do not count */
    CONVERT_HTML_PICTURE_MAX = 16 * 1024 * 1024, /* octets of a picture in a data: url; a larger one is left out */
    CONVERT_HTML_VALUE_MAX = 4 * 1024,           /* octets of the value of a field of a form */
    CONVERT_HTML_TABLE_ROWS_MAX = 20 * 1000,     /* a table with more is written as lines */

    /* Its structure. */
    CONVERT_PREAMBLE_MAX = 500,                /* octets in front of a multipart's parts that nobody is shown */
    CONVERT_COMPARED_MAX = 16 * 1024 * 1024,   /* octets of texts that are read to choose among alternatives */
    CONVERT_SHOWN_TEXT_MAX = 16 * 1024 * 1024, /* octets of texts that are read to be shown; others are attached */
    CONVERT_WORDS_MAX = 50000,                 /* words of alternatives that are compared */
    CONVERT_ADDRESS_ENTRY_MAX = 2000,          /* octets of one entry in To or Cc */
    CONVERT_OTHERS_NAMED_MAX = 5,              /* people who are named at the top; further ones are counted */
    CONVERT_ITEMS_MAX = 990,                   /* parts, and files found in them; others are not taken out */
    CONVERT_MADE_MAX = 64 * 1024 * 1024,       /* octets of files taken out of parts, and of such parts */
    CONVERT_UNPACKED_MAX = 8 * 1024 * 1024,    /* octets of texts in a winmail.dat, which may be compressed */
    CONVERT_OPENED_MAX = 3,                    /* parts that had to be opened around each other */

    /* The thread message. */
    CONVERT_BODY_MAX = 1024 * 1024,   /* octets of CommonMark; a longer body is attached */
    CONVERT_SUBJECT_MAX = 998,        /* octets */
    CONVERT_FROM_NAME_MAX = 256,      /* octets */
    CONVERT_NAME_MAX = 200,           /* octets of an attachment's name with its prefix */
    CONVERT_EXCERPT_MAX = 2000,       /* octets of the author's own words that are told to the daemon */
    CONVERT_DETAIL_MAX = 1000,        /* octets of what the trace is told */
    CONVERT_QUOTE_DEPTH_MAX = 30,     /* nested quotes and lists; deeper ones are not nested further */
    CONVERT_HISTORY_SPANS_MAX = 1000, /* places in a text where own words and quotes change; then all stays as it is */

    /* Calendars: what is named in the body; the whole file is attached besides. */
    CONVERT_CALENDAR_ENTRIES_MAX = 5,
    CONVERT_CALENDAR_PEOPLE_MAX = 20,             /* of an entry */
    CONVERT_CALENDAR_DATE_LINES_MAX = 10,         /* lines of dates left out or added, of an entry */
    CONVERT_CALENDAR_DATES_MAX = 10,              /* days of them that are named */
    CONVERT_CALENDAR_VALUE_MAX = 500,             /* octets of a title, a place, a comment */
    CONVERT_CALENDAR_DESCRIPTION_MAX = 16 * 1024, /* octets */
    CONVERT_CALENDAR_ZONES_MAX = 20,              /* time zones that are looked at */
    CONVERT_CALENDAR_OBSERVANCES_MAX = 200,       /* changes of the clock of one */
    CONVERT_CALENDAR_DATES_SIZE_MAX = 8 * 1024,   /* octets of dates of one change */

    /* Cards. */
    CONVERT_VCARD_CARDS_MAX = 10,  /* that are named in the body */
    CONVERT_VCARD_VALUES_MAX = 3,  /* addresses, and numbers, of a card */
    CONVERT_VCARD_VALUE_MAX = 200, /* octets */

    /* winmail.dat. */
    CONVERT_TNEF_FILES_MAX = 500,           /* in it */
    CONVERT_TNEF_DEPTH_MAX = 10,            /* messages in messages; deeper ones stay as they are */
    CONVERT_TNEF_RTF_MAX = 8 * 1024 * 1024, /* octets of a text's RTF, expanded */
    CONVERT_TNEF_RECIPIENTS_MAX = 100,      /* of a message in it that are named in its header */
    CONVERT_TNEF_VALUE_MAX = 998,           /* octets of a name, a title, an address */

    /* Reports and bounces; what a result holds: convert_report.h. */
    CONVERT_REPORT_STATUS_PART_MAX = 1024 * 1024, /* octets of a report's fields that are read */
    CONVERT_REPORT_PART_MAX = 256 * 1024,         /* octets of a text part, in its transfer encoding, that are read */
    CONVERT_REPORT_TEXT_PARTS_MAX = 20,           /* text parts that are read */
    CONVERT_REPORT_LOOKED_AT = 64 * 1024,         /* octets of all text parts in which a bounce is looked for */
    CONVERT_REPORT_FIELD_MAX = 16 * 1024,         /* octets of From and X-Failed-Recipients */

    /* Thread message -> mail. */
    CONVERT_MARKDOWN_MAX = 256 * 1024,                           /* a longer body is shown preformatted */
    CONVERT_MARKDOWN_CLEAN_MAX = CONVERT_MARKDOWN_MAX * 3 + 256, /* with its invalid octets replaced */
    CONVERT_SHOWN_MAX = 1024 * 1024, /* of all texts of a message; what goes beyond is attached */
    CONVERT_MARKDOWN_DEPTH_MAX = 200,
    CONVERT_ADDRESSES_SIZE_MAX =
        8 * 1024 * 1024, /* octets of its links' addresses, the same definition each time it is meant */
    CONVERT_RENDERED_MAX = 8 * 1024 * 1024,      /* octets of each rendering */
    CONVERT_TEXT_FILE_MAX = 1024 * 1024,         /* octets of an attached text that is looked through; larger: base64 */
    CONVERT_MESSAGE_FILE_MAX = 16 * 1024 * 1024, /* octets of an attached message that may travel as it is */
    CONVERT_FORMS_MAX = 20,                      /* forms that are shown; further ones are attached only */
    CONVERT_ANSWERED_MAX = 4096,                 /* octets of what is answered, quoted under an answer */
    CONVERT_TABLE_CELLS_MAX = 100000,            /* of a body's tables; one with more is carried as written */
    CONVERT_FORM_TYPE_MAX = 200,                 /* octets of what a form's type is called */
    CONVERT_QUOTE_LINE_MAX = 1000,               /* octets of a line of ours before or behind one of them */
    CONVERT_QUOTE_LINES_MAX = 16 * 1024,         /* both, escaped, with what is around them */
    CONVERT_MAIL_HEADER_MAX = 1024 * 1024,       /* octets of the header that we write */
    CONVERT_REFERENCES_SIZE_MAX = 16 * 1024,     /* octets of all References together */

    /* Between the daemon and its workers. */
    CONVERT_KNOWN_MAX = 2000,           /* addresses of which a worker is told that a mail's readers know them, ... */
    CONVERT_KNOWN_SIZE_MAX = 48 * 1024, /* ... octets of them: a request is one IPC message */
    CONVERT_OTHERS_MAX = 100,           /* addresses that a worker says it has named */
    CONVERT_META_MAX = 5 * 1024 * 1024, /* octets of a description beside the content */
};
