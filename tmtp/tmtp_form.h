/* tmtp_form.h - forms: what the member client attaches as "f:" (blank) and "r:" (filled)
 *
 * A convention of the member client, which hands them to vue-form-generator. A blank form is a JSON object with `fields`,
 * or with `groups` that have a `legend` and `fields`; a field has `type` (for "input" the `inputType` says more), `label`,
 * `model` (where its value goes, "address.city"), and perhaps `required`, `hint`, `placeholder` and `values`. A filled
 * form is the object of the values. What is unknown is passed over, what is there several times refused.
 *
 * Strings are UTF-8 as they came: any characters but NUL. Pure functions, on untrusted input.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    TMTP_FORM_SIZE_MAX = 256 * 1024, /* octets of JSON */
    TMTP_FORM_FIELDS_MAX = 500,      /* further ones are left out */
    TMTP_FORM_CHOICES_MAX = 100,     /* of one field; likewise */
    TMTP_FORM_DEPTH_MAX = 20,        /* objects and lists in a filled form; deeper ones are left out */
    TMTP_FORM_LABEL_MAX = 300,       /* octets of labels, hints and choices; cut */
    TMTP_FORM_VALUE_MAX = 4000,      /* octets of what is filled in; cut */
};

enum tmtp_form_kind {
    TMTP_FORM_TEXT,
    TMTP_FORM_NUMBER,
    TMTP_FORM_DATE,
    TMTP_FORM_TIME,
    TMTP_FORM_DATE_AND_TIME,
    TMTP_FORM_ADDRESS, /* of mail */
    TMTP_FORM_YES_NO,
    TMTP_FORM_ONE_OF,
    TMTP_FORM_SOME_OF,
    TMTP_FORM_FILE,
    TMTP_FORM_WORDS,  /* nothing to be filled in: a label between the fields */
    TMTP_FORM_LEGEND, /* a group's heading */
};

struct tmtp_form_field {
    enum tmtp_form_kind kind;
    bool is_required;
    char *model; /* "" */
    char *label; /* blank: ""; filled: NULL */
    char *hint;  /* blank: ""; filled: NULL */
    char *value; /* filled; blank: NULL */
    char **choices;
    size_t choice_count;
};

struct tmtp_form {
    struct tmtp_form_field *fields; /* in their order */
    size_t count;
    bool is_cut; /* something was left out, or cut */
};

/* 1 done, free it; -1 not a form, or all of it over a limit, and nothing to free. */
int tmtp_form_read_blank(const char *json, size_t len, struct tmtp_form *form_out) __attribute__((warn_unused_result));
/* Objects in objects get a path ("address.city"), the values of a list stand in one field. */
int tmtp_form_read_filled(const char *json, size_t len, struct tmtp_form *form_out) __attribute__((warn_unused_result));
void tmtp_form_free(struct tmtp_form *form);
